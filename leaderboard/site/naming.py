"""What numbers and runs are called on pages, and where their pages lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..board import Number
from ..runs import BoardRun
from ..submission import Level

LEVEL_WORDS: Mapping[Level, str] = {
    "self-reported": "the files agree with one another; whoever sent them scored them",
    "re-scored": "every number was computed again from the answers, over sample sets of our own, to the last digit",
    "reproduced": "a second run has scores within the intervals of this one",
}


class Heading(NamedTuple):
    """A column's heading.

    Attributes:
        group: What it is grouped under: its task, or ``"average"``.
        name: Subset and metric.
        beside: Construction, with the sample set's hash where two sets share an id.
    """

    group: str
    name: str
    beside: str

    @property
    def full(self) -> str:
        """All of it in one line."""
        if self.group == "average":
            return self.name
        return f"{self.group} {self.name} ({self.beside})"


def heading(number: Number, *, ambiguous: bool = False) -> Heading:
    """The heading of a number's column.

    Args:
        number: The number.
        ambiguous: Whether another number of other samples has the same id.
    """
    short = f" {number.samples_sha256[:6]}" if ambiguous else ""
    if number.measure is None:
        return Heading("average", number.id, f"ten numbers{short}")
    part, pieces = number.measure.part, number.id.split("/")[-1].split("@")
    metric = f"{pieces[0]} by {pieces[1]}" if number.measure.example.judge and len(pieces) > 1 else pieces[0]
    return Heading(
        part.task, metric if part.subset == "all" else f"{part.subset} {metric}", f"{part.construction}{short}"
    )


def run_title(run: BoardRun) -> str:
    """Model and name, and the control where there is one."""
    name = run.name if run.name.startswith(run.model) else f"{run.model}: {run.name}" if run.name else run.model
    return f"{name} ({run.spec.control})" if run.spec.control and run.spec.control not in run.name else name


def run_page(run: BoardRun, root: str = "") -> str:
    """Address of a run on its model's page."""
    return f"{root}model/{run.model_key}.html#run-{run.key}"


def section_title(method: str, control: str | None) -> str:
    """What a section is called."""
    words = "Answers in words" if method == "generate" else f"Options scored by {method}"
    return words if control is None else f"{words}, control {control}"
