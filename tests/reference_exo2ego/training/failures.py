"""Fails on one of two processes, in several ways: ``failures.py FOLDER`` writes what each process heard of each.

``FOLDER`` has training data in ``data``. Torch's own patience is set to seconds, so that a process that waits for
another one in vain says so.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.distributed import distributed_c10d

from egobench.torchvision_ops import ensure_torchvision

torch.set_num_threads(1)
ensure_torchvision()

from egobench.errors import EgoBenchError, TrainingDataError  # noqa: E402
from reference_exo2ego.training.batches import ClipBatch, MicroBatch, Source  # noqa: E402
from reference_exo2ego.training.beginning import begin  # noqa: E402
from reference_exo2ego.training.checkpoint import Position, write_checkpoint  # noqa: E402
from reference_exo2ego.training.loop import LoopSettings, NoInspection, StageLoop  # noqa: E402
from reference_exo2ego.training.processes import Processes, begin_processes, end_processes  # noqa: E402
from reference_exo2ego.training.run import Training, own_folder  # noqa: E402
from reference_exo2ego.training.sources import open_source  # noqa: E402
from tests.reference_exo2ego.training.tiny_training import tiny_recipe  # noqa: E402

SECONDS = 20
SETTINGS = LoopSettings(workers=0, save_every=0, log_every=1)


@dataclass(frozen=True)
class SourceOfOne:
    """A source whose batches are changed on the second process."""

    source: Source
    change: Callable[[MicroBatch], MicroBatch]
    steps_per_epoch: float = 1.0

    @property
    def digests(self) -> Mapping[str, str]:
        return self.source.digests

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:
        micro_batches = self.source.micro_batches(step, rank, processes)
        return [self.change(micro) for micro in micro_batches] if rank == 1 else micro_batches

    def held_out(self) -> Sequence[MicroBatch]:
        return ()


def without_numbers(micro: MicroBatch) -> MicroBatch:
    batch: Any = micro.batch
    exo = torch.full(batch.inputs.exo.shape, float("nan"))
    return replace(micro, batch=ClipBatch(batch.stage, replace(batch.inputs, exo=exo)))


def unreadable(micro: MicroBatch) -> MicroBatch:
    raise TrainingDataError(f"{micro.batch.clips} clips in a row cannot be read")


class Failures:
    """Ways to fail, by name of the method."""

    def __init__(self, root: Path, processes: Processes) -> None:
        self.root, self.processes = root, processes

    def training(self, name: str) -> Training:
        return Training(
            recipe=tiny_recipe(("stage1",), steps=2),
            folder=self.root / name,
            data=self.root / "data",
            processes=self.processes,
            settings=SETTINGS,
        )

    def train(self, training: Training) -> None:
        with own_folder(training):
            training.run()

    def train_on(self, change: Callable[[MicroBatch], MicroBatch], name: str) -> None:
        training = self.training(name)
        (stage,) = training.recipe.trained
        beginning = begin(training.recipe, training.data, None, dtype=training.dtype)
        source = open_source(training.recipe, stage, training.data, None, beginning.tokenizer)
        StageLoop(
            recipe=training.recipe,
            stage=stage,
            steps=2,
            engine=training.build_engine(stage, beginning),
            source=SourceOfOne(source, change),
            processes=self.processes,
            tracker=training.tracker,
            observer=training.observer,
            folder=training.folder,
            settings=SETTINGS,
            inspect=NoInspection(),
        ).run(None)

    def none_but_slow(self) -> None:
        with self.processes.together("waiting"):
            if self.processes.first:
                time.sleep(1.5 * SECONDS)

    def no_folder_for_checkpoints(self) -> None:
        if self.processes.first:
            (self.root / "blocked").write_text("a file where a folder has to be")
        self.processes.wait()
        write_checkpoint(self.root / "blocked", Position(1, 2, "torch", 2), lambda _: None, self.processes, keep=1)

    def loss_is_no_number(self) -> None:
        self.train_on(without_numbers, "diverged")

    def clips_cannot_be_read(self) -> None:
        self.train_on(unreadable, "unreadable")

    def model_cannot_be_written(self) -> None:
        training = self.training("blocked_model")
        if self.processes.first:
            (training.folder / "stage1").mkdir(parents=True)
            (training.folder / "stage1" / "model").write_text("a file where a folder has to be")
        self.train(training)

    def data_changed(self) -> None:
        training = self.training("changed")
        self.train(replace(training, settings=replace(SETTINGS, stop_after=1)))
        self.processes.wait()
        if self.processes.first:
            clips = training.data / "clips.jsonl"
            clips.write_text(clips.read_text().replace("red", "blue"))
        self.processes.wait()
        self.train(training)


FAILURES = (
    Failures.none_but_slow,
    Failures.no_folder_for_checkpoints,
    Failures.loss_is_no_number,
    Failures.clips_cannot_be_read,
    Failures.model_cannot_be_written,
    Failures.data_changed,
)


def main(root: Path) -> None:
    """Fail in all ways, one after the other; after each the processes have to be in step."""
    processes = begin_processes()
    heard: dict[str, list[Any]] = {}
    for fail in FAILURES:
        error_message = ""
        try:
            fail(Failures(root, processes))
        except EgoBenchError as error:
            error_message = f"{type(error).__name__}: {error}"
        heard[fail.__name__] = [error_message, processes.sums([1.0])]
        (root / f"heard-{processes.rank}.json").write_text(json.dumps(heard))
    end_processes()


def wait_for_both(root: Path) -> None:
    """Begin with seconds of patience when both processes have imported everything."""
    import os

    (root / f"here-{os.environ['RANK']}").touch()
    while len(list(root.glob("here-*"))) < 2:
        time.sleep(0.1)
    distributed_c10d.default_pg_timeout = timedelta(seconds=SECONDS)


if __name__ == "__main__":
    wait_for_both(Path(sys.argv[1]))
    main(Path(sys.argv[1]))
