"""Scores on tasks while a model is trained, and the sinks that its records go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("ijson")

from egobench.dataset.sampleset import SampleSet  # noqa: E402
from reference_exo2ego.training.evaluating import TaskScores  # noqa: E402
from reference_exo2ego.training.loop import LoopSettings  # noqa: E402
from reference_exo2ego.training.run import Training, own_folder  # noqa: E402
from reference_exo2ego.training.tracking import (  # noqa: E402
    LOG,
    JsonLines,
    LogRecord,
    Sink,
    TensorBoard,
    Tracker,
    WeightsAndBiases,
    read_log,
    wandb_id,
)
from tests.reference_exo2ego.training.door_questions import write_questions  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe, write_data  # noqa: E402


class Place:
    """Data to train on, and questions with their videos."""

    def __init__(self, root: Path) -> None:
        self.data, self.videos = write_data(root / "train"), root / "videos"
        self.questions: SampleSet = write_questions(root / "sets", self.videos)

    def train(self, folder: Path, sinks: Sequence[Sink] = (), **changes: Any) -> None:
        training = Training(
            recipe=tiny_recipe(("stage1", "stage3"), steps=3),
            folder=folder,
            data=self.data,
            settings=LoopSettings(workers=0, save_every=0, log_every=1),
        )
        with own_folder(training):
            tracker = Tracker([JsonLines(folder / LOG), *sinks])
            assert replace(training, tracker=tracker, **changes).run()
            tracker.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def scored(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was scored every second step, and at the end of each stage."""
    folder = tmp_path_factory.mktemp("scored")
    place.train(folder, scores=TaskScores(sets=[place.questions], videos=place.videos, every=2, limit=4))
    return folder


@pytest.mark.slow
def test_a_model_is_scored_now_and_then_and_last(scored: Path) -> None:
    rows = [row for row in read_log(scored / LOG) if row["kind"] == "scores"]
    assert [(row["stage"], row["step"]) for row in rows] == [
        ("stage1", 2), ("stage1", 3), ("stage3", 2), ("stage3", 3),
    ]  # fmt: skip
    for row in rows:
        (score,) = row["scores"].values()
        assert score["n"] == 4 and score["chance"] == 0.25
        assert score["value"] in {0.0, 0.25, 0.5, 0.75, 1.0}


@pytest.mark.slow
def test_each_scoring_is_a_run_and_leaves_no_copy_of_the_model(scored: Path) -> None:
    runs = [path.parent.parent.name for path in (scored / "evaluations").rglob("scores.json")]
    assert sorted(runs) == ["test-stage1-000002", "test-stage1-000003", "test-stage3-000002", "test-stage3-000003"]
    assert list((scored / "evaluations" / "models").iterdir()) == []


@pytest.mark.slow
def test_scoring_changes_no_bit_of_what_is_learnt(scored: Path, place: Place, tmp_path: Path) -> None:
    from reference_exo2ego.model.checkpoint import load

    place.train(tmp_path)
    with_scores, without = (dict(load(folder / "stage3" / "model").state_dict()) for folder in (scored, tmp_path))
    assert all(torch.equal(with_scores[name], tensor) for name, tensor in without.items())


@pytest.mark.slow
def test_tensorboard_has_the_numbers_of_the_log(place: Place, tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    place.train(tmp_path, [TensorBoard(tmp_path / "tensorboard")])
    events = reading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    logged = [row["loss"] for row in read_log(tmp_path / LOG) if row["kind"] == "step" and row["stage"] == "stage1"]
    written = events.Scalars("stage1/step/loss")
    assert [event.step for event in written] == [1, 2, 3]
    assert [event.value for event in written] == pytest.approx(logged)
    assert "stage3/captions/text_summary" in events.Tags()["tensors"]


def test_a_training_has_one_run_at_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    own = wandb_id(tmp_path / "first")
    assert own == wandb_id(tmp_path / "first") != wandb_id(tmp_path / "second")
    (tmp_path / "first").rename(tmp_path / "moved")
    assert wandb_id(tmp_path / "moved") == own
    monkeypatch.setenv("WANDB_RUN_ID", "named")
    assert wandb_id(tmp_path / "moved") == "named"


def test_wandb_keeps_the_numbers_where_it_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    sink = WeightsAndBiases(tmp_path, "test", tiny_recipe().model_dump(mode="json"))
    sink.write(LogRecord("step", "stage1", 10, {"loss": 2.5, "rate": 1e-3}))
    sink.write(LogRecord("note", "stage1", 10, {"note": "resumed"}))
    sink.write(LogRecord("step", "stage1", 20, {"loss": 1.5, "rate": 1e-3}))
    sink.write(LogRecord("validation", "stage3", 5, {"loss": 0.5}))
    numbers = {name: wandb.run.summary[name] for name in ("stage1/step/loss", "stage1/steps", "stage3/validation/loss")}
    assert numbers == {"stage1/step/loss": 1.5, "stage1/steps": 20, "stage3/validation/loss": 0.5}
    assert wandb.run.step == 3
    assert wandb.run.id == wandb_id(tmp_path)
    assert wandb.run.config["stages"][0]["name"] == "init"
    sink.close()
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert kept.stat().st_size > 0
