"""What the charts of the site draw: scores of runs, and the floors that scores are read against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Floor(NamedTuple):
    """A value that a score is read against.

    Attributes:
        name: What charts call it.
        style: Its class in the style sheet.
        value: The value, in [0, 1].
    """

    name: str
    style: str
    value: float


@dataclass(frozen=True, slots=True)
class Floors:
    """Chance and both blind figures of a number, in [0, 1]; ``None`` where one is not known.

    Attributes:
        chance: Value under scores that are all equal.
        blind: Best attack that sees the options alone.
        trained: Best attack that has learned from other videos' questions, options and answers.
    """

    chance: float | None = None
    blind: float | None = None
    trained: float | None = None

    def known(self) -> Iterator[Floor]:
        """Yield the floors that are known."""
        floors = (
            ("chance", "chance", self.chance),
            ("blind", "blind", self.blind),
            ("blind, trained", "trained", self.trained),
        )
        for name, style, value in floors:
            if value is not None:
                yield Floor(name, style, value)


@dataclass(frozen=True, slots=True)
class Point:
    """A score of a run, in [0, 1].

    Attributes:
        run: What the run is called.
        value: The score.
        low: Lower end of its 95 % interval; ``None`` without one.
        high: Upper end.
        note: A text beside it, such as its rank set.
        page: Address of the run; ``""`` for none.
        x: Value on the horizontal axis of a scatter plot.
        partial: Whether only some of the samples were asked.
    """

    run: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    page: str = ""
    x: float = 0.0
    partial: bool = False

    @property
    def title(self) -> str:
        """Name, score and interval, as shown where the pointer rests on it."""
        beside = f", ranks {self.note}" if self.note else ", partial" if self.partial else ""
        return f"{self.run}: {percent(self.value)}{interval(self.low, self.high)}{beside}"

    @property
    def style(self) -> str:
        """Its class in the style sheet: hollow where only some of the samples were asked."""
        return "dot hollow" if self.partial else "dot"


def percent(value: float | None) -> str:
    """Write a share times 100; a dash for ``None``."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval times 100, with a blank before it; ``""`` for none."""
    return "" if low is None or high is None else f" [{percent(low)}, {percent(high)}]"
