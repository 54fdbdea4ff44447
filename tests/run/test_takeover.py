"""Nothing is asked twice: not after a limited run, and not because a video was touched."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from egobench.errors import StoreError
from egobench.evaluate import Result, evaluate
from egobench.model import ModelInfo, Prompt, Reply
from egobench.run.finding import run_folder
from egobench.run.spec import RunSpec, Settings
from egobench.run.store import read_run
from tests.cli import egobench
from tests.conftest import Navigation


class Counter:
    """Answers A, and counts what it is asked."""

    info = ModelInfo("counter", "1")

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        self.prompts += prompts
        return [Reply("A") for _ in prompts]


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def begin(self, stage: str, total: int, done: int) -> None:
        self.messages.append(f"{stage}: {done} of {total}")

    def advance(self, steps: int) -> None:
        """Ignore progress."""

    def note(self, message: str) -> None:
        self.messages.append(message)

    def warn(self, message: str) -> None:
        self.messages.append(message)


def run(world: Navigation, model: Counter, notes: Notes | None = None, out: str = "runs", **settings: object) -> Result:
    chosen = Settings(**settings)  # type: ignore[arg-type]
    return evaluate(model, [world.sample_set], world.videos, world.root / out, chosen, observer=notes or Notes())


def test_a_full_run_takes_over_the_answers_of_a_limited_one(navigation: Navigation) -> None:
    few, rest, notes = Counter(), Counter(), Notes()
    limited = run(navigation, few, limit=5)
    whole = run(navigation, rest, notes)
    assert (len(few.prompts), len(rest.prompts)) == (5, 7)
    assert "5 answers of a run with another limit are taken over" in notes.messages
    assert whole.path != limited.path
    fresh = run(navigation, Counter(), out="fresh")
    assert (whole.path / "scores.json").read_bytes() == (fresh.path / "scores.json").read_bytes()


@pytest.mark.parametrize("other", [{"control": "reversed"}, {"seed": 1}, {"frames": 4}])
def test_answers_of_a_run_that_differs_in_more_are_not_taken_over(
    navigation: Navigation, other: dict[str, Any]
) -> None:
    run(navigation, Counter(), limit=5, **other)
    model = Counter()
    run(navigation, model)
    assert len(model.prompts) == 12


def test_edited_answers_are_not_taken_over(navigation: Navigation) -> None:
    limited = run(navigation, Counter(), limit=5)
    (file,) = (limited.path / "predictions").iterdir()
    file.write_text(file.read_text().replace('"choice": 0', '"choice": 1', 1))
    model = Counter()
    run(navigation, model)
    assert len(model.prompts) == 12


def test_videos_that_were_only_touched_cost_no_question(navigation: Navigation) -> None:
    first = run(navigation, Counter())
    before = (first.path / "scores.json").read_bytes()
    for number in range(3):
        os.utime(navigation.video(number), (1, 1))
    model, notes = Counter(), Notes()
    run(navigation, model, notes)
    assert model.prompts == []
    assert any("the videos of 3 answers have changed since" in message for message in notes.messages)
    assert (first.path / "scores.json").read_bytes() == before
    # The new fingerprints are kept, so the next start has nothing to look at.
    notes = Notes()
    run(navigation, model, notes)
    assert notes.messages == ["vln-qa.all.mcq.official: 12 of 12"]


def test_a_video_with_other_frames_is_asked_about_again(navigation: Navigation) -> None:
    run(navigation, Counter())
    copyfile(navigation.video(1), navigation.video(0))
    os.utime(navigation.video(2), (1, 1))
    model = Counter()
    run(navigation, model)
    assert len(model.prompts) == 1


def test_an_answered_video_that_became_a_folder_ends_no_run(navigation: Navigation) -> None:
    first = run(navigation, Counter())
    navigation.video(0).unlink()
    navigation.video(0).mkdir()
    model = Counter()
    assert run(navigation, model).scores == first.scores
    assert model.prompts == []


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", "", "a/../../b", "bell\x07"])
def test_a_model_name_never_leads_out_of_the_folder_of_runs(name: str, tmp_path: Path, navigation: Navigation) -> None:
    spec = read_run(run(navigation, Counter()).path).spec
    with pytest.raises(ValueError, match="cannot name a folder of runs"):
        run_folder(tmp_path, RunSpec.from_json({**spec_json(spec), "model": {**spec.model, "name": name}}))


def spec_json(spec: RunSpec) -> dict[str, object]:
    content: dict[str, object] = json.loads(spec.canonical())
    return content


def test_a_torn_last_line_is_asked_again(navigation: Navigation) -> None:
    first = run(navigation, Counter())
    before = (first.path / "scores.json").read_bytes()
    (file,) = (first.path / "predictions").iterdir()
    (first.path / "checksums.txt").unlink()
    file.write_bytes(file.read_bytes()[:-40])
    model = Counter()
    run(navigation, model)
    assert len(model.prompts) == 1
    assert (first.path / "scores.json").read_bytes() == before


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[" * 50_000)
    with pytest.raises(StoreError, match=r"run.json is damaged"):
        read_run(tmp_path)


def test_replies_that_were_cut_off_are_kept_as_such_and_counted(navigation: Navigation) -> None:
    class Talkative(Counter):
        def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
            super().generate(prompts)
            return [Reply("Well, first of all,", finish_reason="length" if len(self.prompts) % 2 else "stop")]

    notes = Notes()
    result = run(navigation, Talkative(), notes)
    assert any("6 of 12 replies were cut off by length" in message for message in notes.messages)
    (file,) = (result.path / "predictions").iterdir()
    reasons = [json.loads(line)["finish_reason"] for line in file.read_text().splitlines()]
    assert reasons == ["length", "stop"] * 6


def test_named_checkpoints_are_told_apart_and_drawn_in_their_order(navigation: Navigation) -> None:
    paths: list[Path] = []
    for number in (500, 1000):
        recorded = {"name": f"checkpoint-{number}", "data": str(navigation.data)}
        model, settings = Counter(), Settings(seed=number)
        folder = navigation.root / "named"
        paths.append(
            evaluate(model, [navigation.sample_set], navigation.videos, folder, settings, recorded=recorded).path
        )
    picture = navigation.root / "curve.svg"
    done = egobench("compare", *paths, "--plot", picture)
    assert done.returncode == 0, done.stderr
    assert "checkpoint-500 minus checkpoint-1000" in " ".join(done.stdout.split())
    content = picture.read_text()
    assert content.index("checkpoint-500") < content.index("checkpoint-1000")
    listed = json.loads(egobench("runs", navigation.root / "named", "--json").stdout)
    assert sorted(row["name"] for row in listed) == ["checkpoint-1000", "checkpoint-500"]
    assert {row["state"] for row in listed} == {"finished"}


def test_predictions_are_a_table_for_notebooks(navigation: Navigation) -> None:
    from egobench.run.store import Run

    result = run(navigation, Counter(), orders=2)
    table = Run(result.path, read_run(result.path).spec).to_frame()
    assert (len(table), sorted(table["order"].unique()), set(table["outcome"])) == (24, [0, 1], {"answered"})
    assert set(result.to_frame()["task"]) == {"vln-qa"}
