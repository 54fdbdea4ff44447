"""Scores over an amount, e.g. a share of training data: a line per model, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

from egobench.charts.picture import Size, write_picture
from egobench.charts.shapes import COLOURS, Dot, Line, Shape, Text

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 200, 50, 60
ASIDE = 5
"""Pixels that models stand beside one another."""


@dataclass(frozen=True, slots=True)
class AmountPoint:
    """A score at an amount.

    Attributes:
        amount: More than 0; drawn on a logarithmic scale.
        value: The score, in [0, 1].
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    amount: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class AmountLine:
    """A model over amounts.

    Attributes:
        label: What it is called.
        points: In the order in which they are joined.
    """

    label: str
    points: Sequence[AmountPoint]


def write_amounts(lines: Sequence[AmountLine], path: Path, *, title: str, unit: str) -> None:
    """Write a picture, SVG or PNG as the file is named.

    Args:
        lines: The models, at least one with a point.
        path: The file.
        title: What is drawn.
        unit: What the amounts are.

    Raises:
        ChartError: If it cannot be written.
    """
    amounts = sorted({point.amount for model in lines for point in model.points})
    ends = [
        value
        for model in lines
        for point in model.points
        for value in (point.value, point.low, point.high)
        if value is not None
    ]
    scale = _Scale(amounts[0], amounts[-1], int(10 * min(ends)) / 10, min(1.0, int(10 * max(ends) + 1) / 10))
    shapes: list[Shape] = [Text(20, 24, title, weight="bold"), *_axes(scale, amounts, unit)]
    for number, model in enumerate(lines):
        shapes += _model(model, scale, COLOURS[number % len(COLOURS)], ASIDE * (number - (len(lines) - 1) / 2))
        shapes += _legend(model, number)
    write_picture(path, shapes, Size(WIDTH, HEIGHT))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where amounts and scores stand, in pixels."""

    least: float
    most: float
    low: float
    high: float

    def x(self, amount: float) -> float:
        if self.least == self.most:
            return (LEFT + WIDTH - RIGHT) / 2
        return LEFT + 20 + (WIDTH - RIGHT - LEFT - 40) * log(amount / self.least) / log(self.most / self.least)

    def y(self, score: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (score - self.low) / (self.high - self.low)


def _axes(scale: _Scale, amounts: Sequence[float], unit: str) -> Iterator[Shape]:
    bottom = HEIGHT - BOTTOM
    yield Line(((LEFT, TOP), (LEFT, bottom), (WIDTH - RIGHT, bottom)))
    for share in (scale.low, (scale.low + scale.high) / 2, scale.high):
        yield Text(LEFT - 8, scale.y(share) + 4, f"{100 * share:.0f}", anchor="end")
    for amount in amounts:
        yield Text(scale.x(amount), bottom + 18, f"{amount:g}", anchor="middle")
    yield Text((LEFT + WIDTH - RIGHT) / 2, bottom + 40, unit, anchor="middle")


def _model(model: AmountLine, scale: _Scale, colour: str, aside: float) -> Iterator[Shape]:
    places = [(scale.x(point.amount) + aside, scale.y(point.value)) for point in model.points]
    if len(places) > 1:
        yield Line(tuple(places), colour)
    for point, (x, y) in zip(model.points, places, strict=True):
        if point.low is not None and point.high is not None:
            yield Line(((x, scale.y(point.low)), (x, scale.y(point.high))), colour)
        yield Dot(x, y, colour)


def _legend(model: AmountLine, number: int) -> Iterator[Shape]:
    y = TOP + 20 * number
    yield Dot(WIDTH - RIGHT + 20, y, COLOURS[number % len(COLOURS)])
    yield Text(WIDTH - RIGHT + 32, y + 4, model.label)
