"""Overfitting on one batch: a training that cannot learn a single batch by heart is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .batches import MicroBatch, Source
from .beginning import begin
from .loop import LOSS_PARTS, NoInspection, StageLoop
from .out_of_memory import out_of_memory_explained
from .recipe import StageRecipe
from .run import Training
from .sources import open_source
from .tracking import LogRecord, Tracker

GOAL = 0.05
"""Loss of the words, in nats, below which a batch counts as learnt by heart."""


@dataclass(frozen=True, slots=True)
class RepeatedStep:
    """A source whose every step is the first one of another source.

    Attributes:
        source: The source.
    """

    source: Source

    @property
    def steps_per_epoch(self) -> float:
        """One step shows everything."""
        return 1.0

    @property
    def digests(self) -> Mapping[str, str]:
        """Digests of the other source."""
        return self.source.digests

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:  # noqa: ARG002
        """Return the micro-batches of the first step."""
        return self.source.micro_batches(0, rank, processes)

    def held_out(self) -> Sequence[MicroBatch]:
        """Return nothing: there is nothing to generalise to."""
        return ()


class OverfitResult(NamedTuple):
    """The result of overfitting on a batch.

    Attributes:
        stage: The stage.
        steps: Number of steps that were taken.
        losses: The loss and its parts at the first and at the last step, by name.
        reached: Whether the goal was reached.
    """

    stage: str
    steps: int
    losses: dict[str, tuple[float, float]]
    reached: bool


@dataclass(slots=True)
class _GoalSink:
    """Keeps the first and the last record of a step, and asks to stop at the goal."""

    first: LogRecord | None = None
    last: LogRecord | None = None

    def write(self, record: LogRecord) -> None:
        if record.kind == "step" and not self.reached():  # a step is under way when the goal is seen
            self.first, self.last = self.first or record, record

    def close(self) -> None:
        pass

    def reached(self) -> bool:
        return self.last is not None and self.last.numbers["vtg"] < GOAL


def overfit(training: Training, stage: StageRecipe, steps: int) -> OverfitResult:
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
    goal_sink = _GoalSink()
    with out_of_memory_explained(stage):
        loop = StageLoop(
            recipe=recipe,
            stage=stage,
            steps=steps,
            engine=training.build_engine(stage, beginning),
            source=RepeatedStep(source),
            processes=training.processes,
            tracker=Tracker((goal_sink,)),
            observer=training.observer,
            folder=None,
            # A clip that cannot be read gives its place to another one at each step; one of them is no reason to stop.
            settings=replace(training.settings, log_every=1, save_every=0, validate_every=0, unreadable=1.0),
            asked_to_stop=goal_sink.reached,
            inspect=NoInspection(),
        )
        loop.run(None)
    first, last = goal_sink.first, goal_sink.last
    if first is None or last is None:
        raise ValueError(f"{steps} steps; expected at least 1")
    losses = {name: (first.numbers[name], last.numbers[name]) for name in LOSS_PARTS}
    return OverfitResult(stage.name, last.step, losses, goal_sink.reached())
