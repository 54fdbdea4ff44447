"""Models of lmms-eval in a process of their own: what reaches them, what is believed, and how the process ends.

lmms-eval, its layers, the processes, pipes and clips are real; the models are written for the purpose.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.errors import ModelError, ModelOptionError, PromptError
from egobench.interop.clips import write_clip
from egobench.model import Prompt, ScoresOptions
from egobench.plugins import load_model
from tests.models.prompts import ask

pytest.importorskip("torch")

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 40), (10, 10, 10), (120, 60, 200))


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes the models of :mod:`seeing_models` known to lmms-eval."""
    pytest.importorskip("lmms_eval")
    folder: Path = tmp_path_factory.mktemp("plugins")
    shutil.copy(Path(__file__).with_name("seeing_models.py"), folder)
    about = folder / "seeing-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: seeing\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[lmms_eval.models]\nseeing = seeing_models:manifests\n")
    return folder


@contextmanager
def opened(name: str, plugins: Path, **options: object) -> Generator[Any]:
    """The model of that name, until the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(plugins))
        patch.setenv("RANK", "3")
        model: Any = load_model(f"lmms-eval:{name}", python=sys.executable, **options)
    try:
        yield model
    finally:
        model.close()


@pytest.fixture(scope="module")
def seeing(plugins: Path) -> Iterator[Any]:
    """A model that tells the mean colour of every frame, and likelihoods."""
    with opened("seeing_test", plugins, checkpoint="somewhere/seeing-7b", frames=6) as model:
        yield model


@pytest.fixture(scope="module")
def talking(plugins: Path) -> Iterator[Any]:
    """A chat model that is somewhere else."""
    with opened("talking_test", plugins) as model:
        yield model


def coloured(*colours: tuple[int, int, int], rate: float = 1.0, question: str = "Well?") -> Prompt:
    """A prompt that shows frames of these colours."""
    frames = np.zeros((len(colours), 64, 80, 3), np.uint8)
    for frame, colour in zip(frames, colours, strict=True):
        frame[:] = colour
    times = np.arange(len(colours)) / rate
    return replace(ask(count=0), frames=frames, times=times, system="Look.", text=question, question=question)


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process has ended, or does so soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_model_sees_the_very_frames_and_the_system_prompt(seeing: Any) -> None:
    (reply,) = seeing.generate([coloured(*COLOURS)])
    # Colours come back to the unit: nothing was lost in the file. What the process prints is not taken for an answer.
    assert reply.error is None
    assert reply.text == f"Look. Well?: {[list(colour) for colour in COLOURS]}"


def test_a_model_is_told_how_many_frames_to_take(seeing: Any) -> None:
    # It was built for 6 and takes 4 of itself.
    (reply,) = seeing.generate([coloured(*COLOURS, *COLOURS[:3])])
    assert reply.text == f"Look. Well?: {[list(colour) for colour in (*COLOURS, *COLOURS[:3])]}"


def test_a_model_with_all_that_identifies_it(seeing: Any) -> None:
    assert seeing.info.name == "lmms-eval-seeing_test-seeing-7b"
    assert seeing.info.frames.count == 6
    settings = seeing.info.settings
    assert {key: settings[key] for key in ("checkpoint", "interface", "system_as", "frames_as", "proof")} == {
        "checkpoint": "somewhere/seeing-7b",
        "interface": "simple",
        "system_as": "argument",
        "frames_as": "max_num_frames",
        "proof": "pixels",
    }


def test_a_blind_prompt_has_no_video(seeing: Any) -> None:
    assert seeing.generate([coloured()])[0].text == "Look. Well?: []"


def test_what_stands_in_place_of_an_answer_is_an_error(seeing: Any) -> None:
    shown = COLOURS[:2]
    questions = ("say failed", "say nothing", "say raise", "say read")
    failed, empty, raised, read = seeing.generate([coloured(*shown, question=question) for question in questions])
    assert "LMMS_EVAL_REQUEST_FAILED" in failed.error
    assert "nothing" in empty.error
    assert "RuntimeError: CUDA out of memory" in raised.error
    assert "EOFError" in read.error, "there is nobody who could answer a question"
    assert not failed.text + empty.text + raised.text + read.text


def test_a_process_that_prints_a_lot_goes_on(seeing: Any) -> None:
    assert seeing.generate([coloured(question="say loud")])[0].error is None
    assert len(seeing.worker.log()) < 20000


@pytest.mark.parametrize("name", ["clip.MP4", "missing.mp4", "broken.mp4"])
def test_an_answer_without_its_video_is_not_believed(name: str, seeing: Any, tmp_path: Path) -> None:
    prompt, path = coloured(*COLOURS), tmp_path / name
    if name == "clip.MP4":
        shutil.move(write_clip(prompt.frames, prompt.times, tmp_path / "clip.mp4"), path)
    elif name == "broken.mp4":
        path.write_bytes(b"no video")
    request = {"system": prompt.system, "text": prompt.text, "max_new_tokens": 5, "seed": 0, "system_as": "argument"}
    answer = seeing.worker.ask(do="generate", clip=str(path), frames=6, **request)
    # It answers, as if there were nothing to see; EgoBench finds that nothing was seen.
    assert answer["text"] == "Look. Well?: []"
    assert "did not reach" in seeing.route.problem(answer, 6)


def test_likelihoods_are_losses_turned_round(seeing: Any) -> None:
    assert isinstance(seeing, ScoresOptions)
    prompt = replace(coloured(*COLOURS), options=("yellow", " a dark room "))
    letters, texts = seeing.score_options([prompt], "letter")[0], seeing.score_options([prompt], "text")[0]
    # A loss of 0.1 a character, the mean of its tokens, which are its characters: 6 x 0.6 and 11 x 1.1 in all.
    assert texts.tokens == (6, 11)
    assert texts.logprobs == pytest.approx((-3.6, -12.1))
    assert letters.tokens == (1, 1)
    assert letters.logprobs == pytest.approx((-0.1, -0.1))


def test_a_prompt_that_cannot_be_scored_is_one_of_many(seeing: Any) -> None:
    prompt = replace(coloured(*COLOURS, question="say raise"), options=("yellow", "blue"))
    with pytest.raises(PromptError, match="RuntimeError: CUDA out of memory"):
        seeing.score_options([prompt], "letter")


def test_an_answer_that_nobody_waited_for_is_not_the_next_one(seeing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        """Reads nothing, as when the user interrupts the wait."""

        def __getattr__(self, name: str) -> Any:
            return getattr(lines, name)

        def readline(self) -> str:
            raise KeyboardInterrupt

    lines = seeing.worker._lines
    monkeypatch.setattr(seeing.worker, "_lines", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        seeing.generate([coloured(question="One?")])
    monkeypatch.undo()
    assert seeing.generate([coloured(question="Two?")])[0].text == "Look. Two?: []"


def test_clips_are_deleted_when_they_have_been_shown(seeing: Any) -> None:
    path = seeing.worker.new_clip()
    seeing.generate([coloured(*COLOURS)])
    assert [file.name for file in path.parent.iterdir()] == ["log.txt"]


def test_a_model_without_likelihoods_scores_nothing(plugins: Path) -> None:
    with opened("likeless_test", plugins, interface="simple") as model:
        assert not isinstance(model, ScoresOptions)
        assert model.info.settings["interface"] == "simple"
        # It has no system prompt of its own, so the user's turn begins with ours; it takes true times as they are.
        assert model.info.settings["system_as"] == "user"
        assert model.info.settings["clip_rate"] == "true"
        assert model.generate([coloured(COLOURS[0])])[0].text == "Look.\nWell?: [[200, 30, 30]]"
        # It was seen to take 16 frames, and takes 20 at most.
        with pytest.raises(ModelError, match=r"20 of 24 frames reached it.*-o frames="):
            model.generate([coloured(*COLOURS * 4)])


def test_a_model_that_samples_at_a_rate_gets_one_frame_a_second(plugins: Path) -> None:
    with opened("sampling_test", plugins) as model:
        assert model.info.settings["clip_rate"] == "1 a second"
        # At 12 frames a second it would take one of these six.
        (reply,) = model.generate([coloured(*COLOURS, rate=12.0)])
        assert reply.text.endswith(f"{[list(colour) for colour in COLOURS]}")


@pytest.fixture(scope="module")
def refusals(plugins: Path) -> dict[str, str]:
    """What is said of models that are not taken, by name; they are loaded at the same time."""
    asked = {"sampling_test": {"args": "max_frames_nun=3"}}

    def refused(name: str) -> str:
        with pytest.raises(ModelError) as told:
            load_model(f"lmms-eval:{name}", python=sys.executable, **asked.get(name, {}))
        return str(told.value)

    names = ("halving_test", "blind_test", "deaf_test", "sampling_test", "seing_test")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("PYTHONPATH", str(plugins))
        return dict(zip(names, pool.map(refused, names), strict=True))


def test_a_model_that_drops_frames_is_refused(refusals: dict[str, str]) -> None:
    assert "8 of 16 frames reached it; an argument of its own, not known here, says" in refusals["halving_test"]


def test_a_model_that_looks_at_something_else_is_refused(refusals: dict[str, str]) -> None:
    assert "did not reach the model" in refusals["blind_test"]


def test_a_model_that_always_says_the_same_is_refused(refusals: dict[str, str]) -> None:
    assert "no proof that a video reaches" in refusals["deaf_test"]


def test_an_unknown_model_or_argument_is_named(refusals: dict[str, str]) -> None:
    assert re.search("no lmms-eval model 'seing_test'.*seeing_test", refusals["seing_test"])
    assert "no argument 'max_frames_nun'; it has pretrained" in refusals["sampling_test"]


def test_a_chat_model_that_is_elsewhere_proves_itself_by_its_replies(talking: Any) -> None:
    assert talking.info.settings["proof"] == "replies"
    seen, blind = talking.generate([coloured(COLOURS[1], COLOURS[1]), coloured()])
    assert seen.text == "[30, 200, 30], [('system', 'Look.'), ('user', 'Well?')]"
    assert blind.text.startswith("nothing")


def test_a_process_that_ends_says_why_and_leaves_nothing(talking: Any) -> None:
    folder, pid = talking.worker.new_clip().parent, talking.worker.pid
    assert not gone(pid, 0.1)
    # What it started lives on and holds all that it had open.
    with pytest.raises(ModelError, match=r"exit code 7.*\n(.*\n)*about to die, leaving \d+") as told:
        talking.generate([coloured(question="say die")])
    assert gone(int(str(told.value).rpartition(" ")[2]))
    with pytest.raises(ModelError, match="has ended"):
        talking.generate([coloured()])
    talking.close()
    assert gone(pid)
    with pytest.raises(ModelError, match="was ended"):
        talking.generate([coloured(*COLOURS)])
    assert not folder.exists()


def test_a_process_ends_when_egobench_is_killed(plugins: Path) -> None:
    code = (
        "import sys, time; from egobench.plugins import load_model\n"
        f"model = load_model('lmms-eval:talking_test', python={sys.executable!r})\n"
        "print(model.worker.pid, model.worker.new_clip().parent, flush=True); time.sleep(100)"
    )
    env = {**os.environ, "PYTHONPATH": str(plugins)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
    assert gone(int(pid))
    assert not Path(folder).exists()


def test_a_python_that_is_none_is_named() -> None:
    with pytest.raises(ModelError, match="cannot start '/nowhere/python'"):
        load_model("lmms-eval:qwen2_vl", python="/nowhere/python")


def test_where_lmms_eval_is_not_installed_it_says_so(tmp_path: Path) -> None:
    if find_spec("lmms_eval") is None:
        with pytest.raises(ModelError, match=r"lmms-eval is not installed.*-o python="):
            load_model("lmms-eval:qwen2_vl")
    venv.create(tmp_path / "two words é")
    bare = tmp_path / "two words é" / "bin" / "python"
    with pytest.raises(ModelError, match=f"{bare} has no lmms-eval; -o python="):
        load_model("lmms-eval:qwen2_vl", python=str(bare))


def test_another_lmms_eval_is_named_with_its_version(tmp_path: Path) -> None:
    (tmp_path / "lmms_eval").mkdir()
    (tmp_path / "lmms_eval" / "__init__.py").touch()
    about = tmp_path / "lmms_eval-0.2.4.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lmms_eval\nVersion: 0.2.4\n")
    with (
        pytest.raises(ModelError, match=r"has lmms-eval 0\.2\.4, expected 0\.7"),
        opened("qwen2_vl", tmp_path),
    ):
        pass


def test_options_that_cannot_be_are_named() -> None:
    with pytest.raises(ModelOptionError, match="expected name=value"):
        load_model("lmms-eval:qwen2_vl", python=sys.executable, args="max_pixels")
    with pytest.raises(ModelOptionError, match="api_key would be written down"):
        load_model("lmms-eval:openai", python=sys.executable, args="api_key=secret")
    with pytest.raises(ModelOptionError, match="'frames': -1; expected 0 or more"):
        load_model("lmms-eval:qwen2_vl", python=sys.executable, frames=-1)


def test_arguments_are_read_as_json_else_as_text() -> None:
    parse = import_module("egobench.models.lmms_eval.adapter").parse
    assert parse("") == {}
    assert parse("max_pixels=3136,fps=0.5,use_cache=False,flash=true,name=a=b,none=None") == {
        "max_pixels": 3136,
        "fps": 0.5,
        "use_cache": False,
        "flash": True,
        "name": "a=b",
        "none": None,
    }


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.5, 0.5), (0.48, 0.27)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("count", [2, 16, 64, 100])
def test_frames_are_told_apart_however_a_model_scales_them(
    count: int, dtype: str, mean: float, deviation: float
) -> None:
    import torch

    levels = import_module("egobench.models.lmms_eval.worker")._levels
    frames = import_module("egobench.models.lmms_eval.route").ladder(count, 1.0).frames[:, :8, :8]
    pixels = ((torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 - mean) / deviation).to(getattr(torch, dtype))
    shown = min(count, 64)
    assert levels([pixels], shown) == shown
    # Nor are half of them taken for all, whatever a model fills up with.
    assert levels([pixels[::2]], shown) < shown
    assert levels([pixels[(count + 3) // 4 :], torch.zeros_like(pixels[:1])], shown) < shown
