"""What is looked at between steps: validation, and scores on tasks; each is done once, whenever training is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from egobench.errors import TrainingError

from .processes import Processes
from .tracking import read_log
from .validation import Validation

if TYPE_CHECKING:
    from .evaluating import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Validates and scores the model of a stage between its steps; every process calls it.

    Attributes:
        stage: Name of the stage.
        steps: Number of its steps.
        every: Steps between validations; 0 for the first and the last alone.
        validation: Validates.
        evaluation: Scores; ``None`` for no scores.
        processes: The processes.
        log: The log's file, which says what was done already.
    """

    stage: str
    steps: int
    every: int
    validation: Validation
    evaluation: Evaluation | None
    processes: Processes
    log: Path

    def __call__(self, step: int) -> None:
        """Do what is due after so many steps."""
        self._inspect(step, validate=True, score=True)

    def make_up(self, step: int) -> None:
        """Do what was due after the steps of a checkpoint, and of which the log has no record."""
        kinds = self._recorded(step) if self.processes.first else set[str]()
        validated, scored = self.processes.sums([float(kind in kinds) for kind in ("validation", "scores")])
        self._inspect(step, validate=not validated, score=not scored)

    def is_long(self, step: int) -> bool:
        """Tell whether the model is scored after so many steps."""
        return self.evaluation is not None and self.evaluation.is_due(step, last=step == self.steps)

    def _inspect(self, step: int, *, validate: bool, score: bool) -> None:
        if validate and (step in {0, self.steps} or (self.every and step % self.every == 0)):
            self.validation(step)
        if score and self.evaluation is not None and self.is_long(step):
            self.evaluation(step)

    def _recorded(self, step: int) -> set[str]:
        """Return the kinds of records that the log has of a step; none where it cannot be read."""
        try:
            return {row["kind"] for row in read_log(self.log) if (row["stage"], row["step"]) == (self.stage, step)}
        except TrainingError:
            return set()
