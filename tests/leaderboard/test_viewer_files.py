"""The viewer as files: outcomes, what is withheld, film strips, long texts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from egobench.controls import Control
from egobench.errors import MissingVideoError, SampleSetError
from egobench.evaluate import evaluate
from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import open_runs
from egobench.leaderboard.viewer.build import write_viewer
from egobench.leaderboard.viewer.outcomes import outcome_of
from egobench.leaderboard.viewer.strips import GAP
from egobench.model import ModelInfo, Prompt, Reply
from egobench.observer import SilentObserver
from egobench.plugins import load_model, load_task
from egobench.run.records import Prediction
from egobench.run.spec import Settings
from tests.conftest import ANSWERS, Navigation


class Repeats:
    """Repeats the text of its first option, at length."""

    info = ModelInfo("repeats", "1")

    def generate(self, prompts: list[Prompt]) -> list[Reply]:
        return [Reply(f"{prompt.options[0]}" + " and so on" * 1_000) for prompt in prompts]


def view(path: Path, out: Path, *, videos: Path | None = None, public: bool = False) -> list[dict[str, Any]]:
    """The samples of the viewer of a run."""
    with open_runs([path], SilentObserver()) as runs:
        write_viewer(runs, out, SampleSets(), videos=videos, public=public)
    samples: list[dict[str, Any]] = []
    for chunk in sorted((out / "data").glob("chunk-*.js")):
        match = re.fullmatch(r"EGOBENCH\.chunk\((\d+), (.*)\);\n", chunk.read_text(encoding="utf-8"), re.DOTALL)
        assert match is not None
        samples += json.loads(json.loads(match[2]))
    return samples


def make_run(navigation: Navigation, model: Any, control: Control | None = None) -> Path:
    recorded = {"data": str(navigation.data)}
    settings = Settings(control=control, frames=4)
    return evaluate(
        model, [navigation.sample_set], navigation.videos, navigation.root / "runs", settings, recorded=recorded
    ).path  # fmt: skip


def test_a_folder_of_videos_that_is_not_there_is_refused(navigation: Navigation, tmp_path: Path) -> None:
    path = make_run(navigation, load_model("random", frames=2))
    with pytest.raises(MissingVideoError, match="no such folder of videos"):
        view(path, tmp_path / "view", videos=tmp_path / "nowhere")
    assert not (tmp_path / "view").exists()


def test_outcomes_are_told_apart(navigation: Navigation) -> None:
    sample = navigation.sample_set.samples[0]
    target = sample.target or 0
    answered = Prediction(sample.id, "answered", choice=target, scores=(0.0, 1.0))
    cases = {
        "R": (sample, answered),
        "W": (sample, replace(answered, choice=(target + 1) % 4)),
        "T": (sample, replace(answered, choice=None)),
        "O": (replace(sample, options=(), target=None), replace(answered, choice=None)),
        "P": (replace(sample, target=None), answered),
        "M": (sample, Prediction(sample.id, "media_error")),
        "-": (sample, None),
    }
    assert {code: outcome_of(*case) for code, case in cases.items()} == {code: code for code in cases}


def test_a_strip_holds_the_frames_of_the_receipt_in_the_order_in_which_they_were_shown(
    navigation: Navigation, tmp_path: Path
) -> None:
    """The videos are of one colour that brightens from frame to frame: reversed, a strip darkens."""
    random = load_model("random", frames=4)
    controls: tuple[Control | None, ...] = (None, "reversed")
    plain, backward = (
        view(make_run(navigation, random, control), tmp_path / name, videos=navigation.videos)
        for control, name in zip(controls, ("plain", "backward"), strict=True)
    )
    for samples, folder, sign in ((plain, "plain", 1), (backward, "backward", -1)):
        answer = samples[0]["answers"][0]
        assert answer["proof"] == "same pixels"
        with Image.open(tmp_path / folder / "strips" / answer["strip"]) as picture:
            strip = np.asarray(picture.convert("RGB"), np.float64)
        width = (strip.shape[1] + GAP) // 4 - GAP
        assert len(answer["receipt"]["times"]) == 4
        means = [strip[:, place * (width + GAP) + 8 : place * (width + GAP) + width - 8].mean() for place in range(4)]
        assert (sign * np.diff(means) > 0).all()
        colour = ANSWERS[samples[0]["video"].partition("/")[0]][1]
        assert np.abs(strip[:, 8 : width - 8].mean(axis=(0, 1)) - np.array(colour)).max() < 30


def test_a_video_that_has_changed_has_no_strip_passed_off_as_what_was_seen(
    navigation: Navigation, tmp_path: Path
) -> None:
    from tests.conftest import write_video

    path = make_run(navigation, load_model("random", frames=4))
    write_video(navigation.video(0), (9, 9, 9))
    write_video(navigation.video(1), (9, 9, 9), frames=48)
    navigation.video(2).unlink()
    answers = [sample["answers"][0] for sample in view(path, tmp_path / "view", videos=navigation.videos)]
    assert (answers[0]["proof"], answers[0]["strip"] != "") == ("same frames", True)
    assert (answers[1]["proof"], "strip" in answers[1]) == ("other frames", False)
    assert "proof" not in answers[2]


def test_without_videos_nothing_is_decoded(navigation: Navigation, tmp_path: Path) -> None:
    samples = view(make_run(navigation, load_model("random", frames=4)), tmp_path / "view")
    assert not (tmp_path / "view" / "strips").exists()
    assert samples[0]["answers"][0]["receipt"]["width"] == 64


def test_in_public_nothing_is_shown_of_a_task_whose_licence_does_not_allow_it(
    navigation: Navigation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from egobench.leaderboard.viewer import collect

    path = make_run(navigation, Repeats())
    samples = view(path, tmp_path / "open", public=True)
    assert samples[0]["question"] == "Which way now?"
    task = load_task("vln-qa")
    gated = replace(task, source=replace(task.source, shareable=False))
    monkeypatch.setattr(collect, "load_task", lambda _: gated)
    view(path, tmp_path / "shut", videos=navigation.videos, public=True)
    content = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "shut").rglob("*.js"))
    assert "may not be shown to the public" in content
    for text, _ in ANSWERS.values():
        assert text not in content
    assert "Which way now?" not in content
    assert not (tmp_path / "shut" / "strips").exists()
    shut = view(make_run(navigation, load_model("first-choice")), tmp_path / "first", public=True)
    outcomes = {(answer["outcome"], "target" in sample) for sample in shut for answer in sample["answers"]}
    assert outcomes == {("P", False)}
    # A reply that repeats an option says which, and no more.
    assert "⟦A⟧ and so on" in content


def test_long_replies_are_cut_and_say_how_long_they_are(navigation: Navigation, tmp_path: Path) -> None:
    reply = view(make_run(navigation, Repeats()), tmp_path / "view")[0]["answers"][0]["reply"]
    assert len(reply) < 6_100
    assert re.search(r"\(10,0\d\d characters in all\)$", reply)


def test_samples_that_are_gone_are_asked_for(navigation: Navigation, tmp_path: Path) -> None:
    path = make_run(navigation, load_model("first-choice"))
    for file in (navigation.data / "vln-qa" / "official").iterdir():
        file.unlink()
    with pytest.raises(SampleSetError, match="are not at hand; give --data"):
        view(path, tmp_path / "view")
