"""Our models as lmms-eval asks them: requests of our tasks, and of tasks that only it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from egobench.errors import ModelMemoryError, ModelOptionError, PromptError
from egobench.evaluate import evaluate
from egobench.interop import lmms_tasks
from egobench.interop.clips import read_clip
from egobench.interop.lmms_documents import documents
from egobench.interop.lmms_write import TaskOptions, write_tasks
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from tests.interop.conftest import Kitchen
from tests.interop.put_tasks import CLOSED, put_in

pytest.importorskip("torch")


@dataclass
class Recorder:
    """Keeps what it is asked; cannot take a prompt that says so."""

    info: ModelInfo = field(default_factory=lambda: ModelInfo("recorder", "1"))
    batches: list[list[Prompt]] = field(default_factory=list[list[Prompt]])

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.batches.append(list(prompts))
        if any("too long" in prompt.text for prompt in prompts):
            raise PromptError("it is too long")
        if len(prompts) > 3:
            raise ModelMemoryError("no room")
        return [
            Reply("", error="the server is gone") if "fail" in prompt.text else Reply(f"{prompt.text}.\n\nAnd so on.")
            for prompt in prompts
        ]


@dataclass(frozen=True)
class Request:
    """What lmms-eval hands to a simple model: an ``Instance``, as far as anyone looks at it."""

    args: tuple[Any, ...]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[Recorder, Callable[..., Any]]:
    """A model that keeps what it is asked, and lmms-eval's view of it without lmms-eval."""
    module = import_module("egobench.interop.lmms_model")
    recorder = Recorder()
    monkeypatch.setattr(module, "load_model", lambda *_, **__: recorder)
    return recorder, module._Model


def ask(lm: Any, texts: Sequence[str], visuals: Sequence[Any], **generation: Any) -> list[str]:
    lm.task_dict = {"theirs": {"test": [{"n": number} for number in range(len(texts))]}}
    requests = [
        Request((text, generation, lambda _: visuals, number, "theirs", "test")) for number, text in enumerate(texts)
    ]
    return list(lm.generate_until(requests))


def test_images_of_a_task_are_frames_in_the_size_of_the_first(asked: tuple[Recorder, Callable[..., Any]]) -> None:
    recorder, made = asked
    images = [Image.new("RGB", (8, 6), "red"), Image.new("L", (4, 4), 255)]
    assert ask(made(model="random"), ["What?"], images, until=["\n\n"], max_new_tokens=7) == ["What?."]
    ((prompt,),) = recorder.batches
    assert prompt.frames.shape == (2, 6, 8, 3)
    assert prompt.frames[:, 0, 0].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert (prompt.text, prompt.options, prompt.max_new_tokens) == ("What?", (), 7)
    assert prompt.system == "You are a helpful assistant."


def test_a_video_of_a_task_is_shown_by_our_rule(kitchen: Kitchen, asked: tuple[Recorder, Callable[..., Any]]) -> None:
    recorder, made = asked
    ask(made(model="random", system="Look."), ["What?"], [str(kitchen.videos / "v0.mp4")])
    ((prompt,),) = recorder.batches
    assert prompt.frames.shape == (16, 84, 112, 3)
    # The middles of 16 equal parts of 2 seconds, at 24 frames a second: frames 1, 4, 7, ...
    np.testing.assert_allclose(prompt.times, (np.arange(16) * 3 + 1) / 24, atol=1e-6)
    assert prompt.system == "Look."


def test_a_task_without_media_is_asked_without_frames(asked: tuple[Recorder, Callable[..., Any]]) -> None:
    recorder, made = asked
    ask(made(model="random"), ["What?"], [])
    assert recorder.batches[0][0].frames.shape == (0, 1, 1, 3)


def test_what_cannot_be_shown_or_taken_is_marked_as_failed_and_costs_no_other_prompt(
    kitchen: Kitchen, asked: tuple[Recorder, Callable[..., Any]]
) -> None:
    _, made = asked
    lm = made(model="random", batch_size=3)
    replies = ask(lm, ["a", "too long", "fail"], [], until="\n\n")
    assert replies == [
        "a.",
        "[LMMS_EVAL_REQUEST_FAILED] it is too long",
        "[LMMS_EVAL_REQUEST_FAILED] the server is gone",
    ]
    # A batch of four does not fit.
    assert ask(made(model="random", batch_size=4), list("efgh"), [], until="\n\n") == ["e.", "f.", "g.", "h."]
    (gone,) = ask(lm, ["b"], [str(kitchen.videos / "none.mp4")])
    assert gone.startswith("[LMMS_EVAL_REQUEST_FAILED] ")
    (mixed,) = ask(lm, ["c"], [str(kitchen.videos / "v0.mp4"), Image.new("RGB", (8, 6))])
    assert "mixed kinds" in mixed


def test_our_own_tasks_are_asked_as_in_a_run_without_a_file(
    kitchen: Kitchen, asked: tuple[Recorder, Callable[..., Any]], tmp_path: Path
) -> None:
    recorder, made = asked
    folder = write_tasks(kitchen.data, tmp_path, TaskOptions(kitchen.videos)).folder
    lm = made(model="random")
    lm.task_dict = {CLOSED: {"test": documents(put_in(folder, CLOSED))}}

    def refused(document: Any) -> Any:
        raise AssertionError(f"no clip is needed for {document}")

    replies = lm.generate_until([Request(("ignored", {}, refused, number, CLOSED, "test")) for number in (0, 3)])
    ((prompt,),) = recorder.batches
    assert (len(prompt.frames), len(prompt.options), prompt.max_new_tokens) == (16, 4, 64)
    assert prompt.text.startswith("Question: What did C pick up at step 0?")
    assert prompt.system.startswith("From a first-person perspective")
    assert replies[1].startswith("[LMMS_EVAL_REQUEST_FAILED] ")
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize(
    ("policy", "shape"),
    [(FramePolicy(4, 42), (4, 42, 56, 3)), (FramePolicy(), (16, 84, 112, 3)), (FramePolicy(0), (0, 1, 1, 3))],
)
def test_a_model_that_asks_for_frames_of_its_own_gets_them_as_in_a_run(
    kitchen: Kitchen,
    asked: tuple[Recorder, Callable[..., Any]],
    tmp_path: Path,
    policy: FramePolicy,
    shape: tuple[int, ...],
) -> None:
    recorder, made = asked
    recorder.info = replace(recorder.info, frames=policy)
    folder = write_tasks(kitchen.data, tmp_path / "tasks", TaskOptions(kitchen.videos)).folder
    lm = made(model="random")
    rows = documents(put_in(folder, CLOSED))
    lm.task_dict = {CLOSED: {"test": rows}}
    lm.generate_until([Request(("", {}, None, 0, CLOSED, "test"))])
    ((inside,),) = recorder.batches
    recorder.batches.clear()
    evaluate(recorder, [kitchen.sample_set], kitchen.videos, tmp_path / "runs")
    outside = next(prompt for batch in recorder.batches for prompt in batch if prompt.text == inside.text)
    assert inside.frames.shape == shape
    np.testing.assert_array_equal(inside.frames, outside.frames)
    np.testing.assert_array_equal(inside.times, outside.times)
    assert lmms_tasks.results(rows[0], ["A"])["acc"]["outcome"] == "answered"


def test_a_clip_says_as_much_as_its_frames(
    kitchen: Kitchen, asked: tuple[Recorder, Callable[..., Any]], tmp_path: Path
) -> None:
    from egobench.interop.lmms_tasks import visual

    recorder, made = asked
    folder = write_tasks(kitchen.data, tmp_path, TaskOptions(kitchen.videos)).folder
    row = documents(put_in(folder, CLOSED))[1]
    ask(made(model="random"), ["What?"], visual(row))
    np.testing.assert_array_equal(recorder.batches[0][0].frames, read_clip(Path(visual(row)[0])))


def test_scoring_and_several_turns_are_refused(asked: tuple[Recorder, Callable[..., Any]]) -> None:
    lm = asked[1](model="random")
    with pytest.raises(NotImplementedError, match="likelihood-letter"):
        lm.loglikelihood([])
    with pytest.raises(NotImplementedError, match="one turn"):
        lm.generate_until_multi_round([])


@pytest.mark.parametrize(
    ("asked_for", "rank", "found"), [(None, "1", "cuda:1"), ("cuda", "", "cuda:0"), ("cpu", "1", "cpu")]
)
def test_every_rank_has_a_gpu_of_its_own(
    asked_for: str | None, rank: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, loaded = import_module("egobench.interop.lmms_model"), dict[str, Any]()
    monkeypatch.setattr(module, "load_model", lambda _, **options: loaded.update(options))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", rank) if rank else monkeypatch.delenv("LOCAL_RANK", raising=False)
    made = module._Model(model="hf", checkpoint="somewhere", device=asked_for)
    # lmms-eval gathers what the ranks found over the same device.
    assert (loaded["device"], str(made.device)) == (found, found)


def test_options_of_a_model_are_texts_as_on_our_command_line() -> None:
    made = import_module("egobench.interop.lmms_model")._Model
    with pytest.raises(ValueError, match="which model"):
        made()
    with pytest.raises(ModelOptionError, match="has no option 'colour'"):
        made(model="random", option_colour=1)
    with pytest.raises(ValueError, match="batch_size 'auto'"):
        made(model="random", batch_size="auto")
    # lmms-eval reads revision=1 as a number, which no text option takes.
    assert made(model="random", device="cpu", batch_size="2").batch_size == 2
