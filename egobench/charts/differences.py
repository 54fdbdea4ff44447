"""Differences from a reference as a picture: a row per variant, with interval, repetitions, published difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from egobench.charts.picture import Size, write_picture
from egobench.charts.shapes import BLUE, RED, Dot, Line, Shape, Text

WIDTH, ROW = 860, 30
LEFT, RIGHT, TOP, BOTTOM = 300, 60, 56, 46
ROUND = 0.05
"""The scale ends at a multiple of it."""


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A variant minus a reference; scores in [0, 1].

    Attributes:
        label: What the variant is called.
        effect: The difference; ``None`` where there is none.
        low: Lower end of its 95 % interval.
        high: Upper end.
        repetitions: The difference of each repetition, e.g. by seed.
        published: A published difference; ``None`` where there is none.
    """

    label: str
    effect: float | None
    low: float | None = None
    high: float | None = None
    repetitions: Sequence[float] = ()
    published: float | None = None


def write_differences(rows: Sequence[DifferenceRow], path: Path, *, title: str) -> None:
    """Write a picture, SVG or PNG: dots are differences, ticks are repetitions, crosses are published differences.

    Args:
        rows: The variants, from top to bottom.
        path: The file.
        title: What is compared.

    Raises:
        ChartError: If it cannot be written.
    """
    reach = _reach(rows)
    shapes: list[Shape] = [Text(20, 24, title, weight="bold"), *_scale(reach, len(rows))]
    for number, row in enumerate(rows):
        shapes += _row(row, TOP + (number + 0.5) * ROW, reach)
    write_picture(path, shapes, Size(WIDTH, TOP + ROW * len(rows) + BOTTOM))


def _reach(rows: Sequence[DifferenceRow]) -> float:
    """Where the scale ends on either side."""
    values = [
        abs(value)
        for row in rows
        for value in (row.effect, row.low, row.high, row.published, *row.repetitions)
        if value is not None
    ]
    return ROUND * max(1, ceil(max(values, default=0.0) / ROUND - 1e-9))


def _scale(reach: float, count: int) -> Iterator[Shape]:
    bottom = TOP + ROW * count
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = _x(share * reach, reach)
        yield Line(((x, TOP), (x, bottom)), dashed=share != 0)
        yield Text(x, bottom + 16, f"{100 * share * reach:+.1f}" if share else "0", anchor="middle")
    yield Text(LEFT, bottom + 36, "points; dot and line: here, 95 % over videos; ticks: seeds; cross: published")


def _row(row: DifferenceRow, y: float, reach: float) -> Iterator[Shape]:
    yield Text(LEFT - 14, y + 4, row.label, anchor="end")
    if row.low is not None and row.high is not None:
        yield Line(((_x(row.low, reach), y), (_x(row.high, reach), y)), BLUE)
    for value in row.repetitions:
        yield Line(((_x(value, reach), y - 6), (_x(value, reach), y + 6)), BLUE)
    if row.effect is not None:
        yield Dot(_x(row.effect, reach), y, BLUE)
        yield Text(WIDTH - RIGHT + 8, y + 4, f"{100 * row.effect:+.1f}")
    if row.published is not None:
        x = _x(row.published, reach)
        yield Line(((x - 5, y - 5), (x + 5, y + 5)), RED)
        yield Line(((x - 5, y + 5), (x + 5, y - 5)), RED)


def _x(value: float, reach: float) -> float:
    middle, half = (LEFT + WIDTH - RIGHT) / 2, (WIDTH - RIGHT - LEFT) / 2
    return middle + half * value / reach
