"""Models that come with lmms-eval, in a process of their own: what a tiny Qwen2-VL there is shown, and says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from egobench.interop.clips import write_clip
from egobench.model import ScoresOptions
from egobench.plugins import load_model
from tests.models.prompts import ask

if find_spec("lmms_eval") is None:
    pytest.skip("needs lmms-eval", allow_module_level=True)

pytestmark = pytest.mark.slow

SIZE = (84, 112)
"""Height and width of frames that are whole patches of Qwen2-VL, so that nobody resizes them."""


def ours(checkpoint: Path, **options: object) -> Any:
    """The checkpoint through transformers."""
    return load_model("hf", checkpoint=str(checkpoint), device="cpu", **options)


def pixels(model: Any, prompt: Any) -> str:
    """Hash of what our own adapter hands to the model's first layer."""
    inputs = model.chat.encode([prompt], [model.chat.render(prompt, prompt.text)])
    return sha256(inputs["pixel_values_videos"].numpy().tobytes()).hexdigest()


def test_what_was_found_out_when_it_was_loaded(through_worker: Any, qwen: Path) -> None:
    assert through_worker.info.name == "lmms-eval-qwen2_vl-tiny-qwen2-vl"
    assert through_worker.info.revision.startswith("0.7")
    assert through_worker.info.weights == ours(qwen).info.weights
    assert through_worker.info.dtype == "float32"
    found = through_worker.info.settings
    assert (found["interface"], found["system_as"], found["frames_as"]) == ("simple", "argument", "max_num_frames")
    # It takes two frames a second of any clip: one of 16 frames in half a second would lose twelve of them.
    assert (found["clip_rate"], found["proof"]) == ("1 a second", "pixels")
    assert not isinstance(through_worker, ScoresOptions)


def test_an_odd_number_of_frames_is_filled_up_as_our_adapter_does(through_worker: Any, qwen: Path) -> None:
    own, prompt = ours(qwen, rope_fix="no"), ask(size=SIZE, count=7)
    told = through_worker.route.ask(through_worker.worker, prompt, "generate")
    assert told["pixels"]["frames"] == 8
    assert told["pixels"]["sha256"] == pixels(own, prompt)


def test_where_text_begins_after_a_video_makes_a_difference(through_worker: Any, qwen: Path) -> None:
    # lmms-eval has transformers' positions; our adapter mends them unless told not to.
    prompts = [ask(seed=seed, size=SIZE, question=f"Which way, {seed}?") for seed in range(6)]
    mended = [reply.text for reply in ours(qwen).generate(prompts)]
    assert mended != [reply.text for reply in through_worker.generate(prompts)]


def test_who_resizes_makes_a_difference(through_worker: Any, qwen: Path) -> None:
    # Not whole patches: qwen-vl-utils resizes there, transformers here, and they round differently.
    own, prompt = ours(qwen, rope_fix="no"), ask(size=(90, 120))
    told = through_worker.route.ask(through_worker.worker, prompt, "generate")
    assert told["pixels"]["shapes"] == [[8 * 6 * 8, 3, 2, 14, 14]]
    assert told["pixels"]["sha256"] != pixels(own, prompt)


def test_a_blind_prompt_has_the_same_reply(through_worker: Any, qwen: Path) -> None:
    prompt = ask(count=0)
    (mine,), (other,) = ours(qwen).generate([prompt]), through_worker.generate([prompt])
    assert (mine.text, mine.prompt_tokens) == (other.text, other.prompt_tokens)


@pytest.mark.parametrize("name", ["clip.MP4", "missing.mp4", "broken.mp4"])
def test_a_video_that_it_drops_without_a_word_is_noticed(name: str, through_worker: Any, tmp_path: Path) -> None:
    prompt, path = ask(size=SIZE), tmp_path / name
    if name == "clip.MP4":
        shutil.move(write_clip(prompt.frames, prompt.times, tmp_path / "clip.mp4"), path)
    elif name == "broken.mp4":
        path.write_bytes(b"\0" * 3000)
    request = {"system": prompt.system, "text": prompt.text, "max_new_tokens": 5, "seed": 0, "system_as": "argument"}
    told = through_worker.worker.ask(do="generate", clip=str(path), frames=16, **request)
    blind = through_worker.worker.ask(do="generate", clip="", frames=0, **request)
    # It answers what it answers blind.
    assert told["text"] == blind["text"]
    assert told["prompt_tokens"] == blind["prompt_tokens"]
    assert "did not reach" in through_worker.route.problem(told, 16)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Two other models of lmms-eval, as chat models, loaded at the same time."""
    from tests.models import tiny_qwen

    families = ("qwen2_5_vl", "qwen3_vl")
    folders = [getattr(tiny_qwen, family)(tmp_path_factory.mktemp(family) / family) for family in families]
    with ThreadPoolExecutor() as pool:
        models: list[Any] = list(
            pool.map(
                lambda family, folder: load_model(f"lmms-eval:{family}", checkpoint=str(folder)), families, folders
            )
        )
    yield dict(zip(families, models, strict=True))
    for model in models:
        model.close()


@pytest.mark.parametrize(("family", "system_as"), [("qwen2_5_vl", "message"), ("qwen3_vl", "argument")])
def test_chat_models_get_true_times_and_the_system_prompt_once(
    family: str, system_as: str, chats: dict[str, Any]
) -> None:
    model = chats[family]
    found = model.info.settings
    # Qwen3-VL's puts its own system prompt before the messages that it is given, Qwen2.5-VL's does not look at it.
    assert (found["interface"], found["system_as"], found["proof"]) == ("chat", system_as, "pixels")
    assert found["clip_rate"] == "true"
    told = model.route.ask(model.worker, ask(size=SIZE), "generate")
    assert "error" not in told
    assert (told["system_read"], told["text_read"]) == (1, 1)
    (blind,) = model.generate([ask(count=0)])
    assert told["prompt_tokens"] > blind.prompt_tokens
