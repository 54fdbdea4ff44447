"""Validation and scores between steps: no step is lost to them, and each is done once however training is resumed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("ijson")

from egobench.errors import ModelError
from reference_exo2ego.training.evaluating import TaskScores
from reference_exo2ego.training.loop import LoopSettings
from reference_exo2ego.training.run import Training, own_folder
from reference_exo2ego.training.tracking import LOG, JsonLines, Tracker, read_log
from tests.reference_exo2ego.training.door_questions import write_questions
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data

SETTINGS = LoopSettings(workers=0, save_every=0, log_every=1, validate_every=2)


@pytest.fixture
def training(tmp_path: Path) -> Training:
    recipe = tiny_recipe(("stage1",), steps=5)
    return Training(recipe=recipe, folder=tmp_path / "run", data=write_data(tmp_path / "data"), settings=SETTINGS)


def run(training: Training) -> bool:
    with own_folder(training):
        tracker = Tracker([JsonLines(training.folder / LOG)])
        try:
            return replace(training, tracker=tracker).run()
        finally:
            tracker.close()


def steps_of(training: Training, kind: str) -> list[int]:
    return [row["step"] for row in read_log(training.folder / LOG) if row["kind"] == kind]


def saved(training: Training) -> list[str]:
    return sorted(path.name for path in (training.folder / "stage1" / "checkpoints").iterdir())


@pytest.mark.parametrize("stop", [2, 5])
def test_a_training_that_is_asked_to_stop_validates_when_it_goes_on(stop: int, training: Training) -> None:
    assert not run(replace(training, settings=replace(SETTINGS, stop_after=stop)))
    assert saved(training) == [f"step-{stop:06d}"]
    assert steps_of(training, "validation") == [step for step in (0, 2, 4) if step < stop]
    assert run(training)
    assert steps_of(training, "validation") == [0, 2, 4, 5]
    assert steps_of(training, "step") == [1, 2, 3, 4, 5]


def test_what_the_log_has_is_not_done_again(training: Training) -> None:
    assert run(training)
    shutil.rmtree(training.folder / "stage1" / "model")
    assert run(training)
    assert steps_of(training, "validation") == [0, 2, 4, 5]
    log = training.folder / LOG
    log.write_bytes(log.read_bytes() + b"no record\n")
    shutil.rmtree(training.folder / "stage1" / "model")
    assert run(training)
    log.write_bytes(log.read_bytes().replace(b"no record\n", b""))
    assert steps_of(training, "validation") == [0, 2, 4, 5, 5]


@pytest.mark.slow
def test_scores_that_fail_lose_no_step(training: Training, tmp_path: Path) -> None:
    questions = write_questions(tmp_path / "sets", tmp_path / "videos")
    scores = TaskScores(sets=[questions], videos=tmp_path / "videos", every=2, limit=4)
    scored = replace(training, scores=scores)
    training.folder.mkdir()
    (training.folder / "evaluations").write_text("a file where a folder has to be")
    with pytest.raises(ModelError, match="cannot be written"):
        run(scored)
    assert (steps_of(training, "step"), saved(training)) == ([1, 2], ["step-000002"])
    (training.folder / "evaluations").unlink()
    assert not run(replace(scored, settings=replace(SETTINGS, stop_after=2)))
    assert (steps_of(training, "scores"), saved(training)) == ([2], ["step-000002", "step-000004"])
    assert run(scored)
    assert steps_of(training, "scores") == [2, 4, 5]
    assert steps_of(training, "step") == [1, 2, 3, 4, 5]
    assert steps_of(training, "validation") == [0, 2, 4, 5]
