"""Overfitting on one batch: a training that cannot learn a single batch by heart is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .batches import MicroBatch, Source
from .beginning import begin
from .loop import StageLoop
from .out_of_memory import out_of_memory_explained
from .recipe import StageRecipe
from .run import Training
from .sources import open_source
from .tracking import LogRecord, Tracker

GOAL = 0.05
"""The loss of the words that must be reached."""


@dataclass(frozen=True, slots=True)
class OneBatch:
    """The first step of a source, again and again.

    Attributes:
        source: The source.
    """

    source: Source

    @property
    def steps_per_epoch(self) -> float:
        """One: there is nothing else."""
        return 1.0

    @property
    def digests(self) -> Mapping[str, str]:
        """Those of the source."""
        return self.source.digests

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:  # noqa: ARG002
        """The first step's."""
        return self.source.micro_batches(0, rank, processes)

    def held_out(self) -> Sequence[MicroBatch]:
        """Nothing."""
        return ()


class Overfitted(NamedTuple):
    """What overfitting on one batch came to.

    Attributes:
        stage: The stage.
        steps: Steps that were taken.
        losses: Loss parts at the first and at the last of them, by name.
        reached: Whether the goal was.
    """

    stage: str
    steps: int
    losses: dict[str, tuple[float, float]]
    reached: bool


@dataclass(slots=True)
class _Last:
    """Remembers the first and the last record of a step, and asks to stop at the goal."""

    first: LogRecord | None = None
    last: LogRecord | None = None

    def write(self, record: LogRecord) -> None:
        if record.kind == "step" and not self.reached():  # a step is under way when the goal is seen
            self.first, self.last = self.first or record, record

    def close(self) -> None:
        pass

    def reached(self) -> bool:
        return self.last is not None and self.last.numbers["vtg"] < GOAL


def overfit(training: Training, stage: StageRecipe, steps: int) -> Overfitted:
    """Train a stage on its first batch alone, at its highest rate, until the goal is reached. Nothing is written.

    Args:
        training: The training.
        stage: Its stage.
        steps: At most so many.

    Raises:
        TrainingError: If memory runs out, or another problem that says what to do.
    """
    recipe = training.recipe
    stage = stage.model_copy(update={"warmup": 0.0, "last": 1.0, "steps": steps, "epochs": None})
    beginning = begin(recipe, training.data, training.before_if_there(stage), dtype=training.dtype)
    source = open_source(recipe, stage, training.data, training.store, beginning.tokenizer)
    memory = _Last()
    with out_of_memory_explained(stage):
        loop = StageLoop(
            recipe=recipe,
            stage=stage,
            steps=steps,
            engine=training.build_engine(stage, beginning),
            source=OneBatch(source),
            processes=training.processes,
            tracker=Tracker((memory,)),
            observer=training.observer,
            folder=None,
            settings=replace(training.settings, log_every=1, save_every=0, look_every=0),
            asked_to_stop=memory.reached,
            look=_overlook,
        )
        loop.run(None)
    first, last = memory.first, memory.last
    if first is None or last is None:
        raise ValueError(f"{steps} steps; expected at least 1")
    losses = {name: (first.numbers[name], last.numbers[name]) for name in ("loss", "vtg", "kl", "ccl_ego", "ccl_exo")}
    return Overfitted(stage.name, last.step, losses, memory.reached())


def _overlook(_step: int) -> None:
    """Nothing is held out."""
