"""Scores of several runs as curves: a panel per score, a dot with its interval per run, chance and blind figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from egobench.charts.picture import Size, write_picture
from egobench.charts.shapes import BLIND, BLUE, CHANCE, QUIET, RULE, TRAINED, Dot, Line, Shape, Text

WIDTH, PANEL_HEIGHT = 860, 190
LEFT, RIGHT, TOP, PLOT_HEIGHT = 60, 130, 40, 110
LETTER = 6.6
"""Pixels of a letter, about."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A score of one run, in [0, 1].

    Attributes:
        run: What the run is called.
        value: The score; ``None`` where the run has none.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    run: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A score over several runs.

    Attributes:
        title: What the score is called.
        points: One per run, in the order in which they are drawn.
        chance: Value under scores that are all equal.
        blind: Best attack that sees the options alone.
        trained: Best attack that has learned from other clusters.
    """

    title: str
    points: Sequence[CurvePoint]
    chance: float | None = None
    blind: float | None = None
    trained: float | None = None


def write_curves(curves: Sequence[Curve], path: Path) -> None:
    """Write a picture with one panel per score.

    Args:
        curves: The scores, all of the same runs.
        path: The file; its ending says the form.

    Raises:
        ValueError: If the name ends in neither ``.svg`` nor ``.png``.
        ChartError: If it cannot be written.
    """
    shapes = [shape for number, curve in enumerate(curves) for shape in _panel(curve, number * PANEL_HEIGHT)]
    write_picture(path, shapes, Size(WIDTH, PANEL_HEIGHT * len(curves)))


def _panel(curve: Curve, top: int) -> Iterator[Shape]:
    bottom, right = top + TOP + PLOT_HEIGHT, WIDTH - RIGHT
    yield Text(LEFT, top + 22, curve.title, weight="bold")
    for share in (0.0, 0.5, 1.0):
        yield Line(((LEFT, _y(share, top)), (right, _y(share, top))), RULE)
        yield Text(LEFT - 8, _y(share, top) + 4, f"{100 * share:.0f}", "end", colour=QUIET)
    yield from _floors(curve, top, right)
    step = (right - LEFT) / len(curve.points)
    drawn: list[tuple[float, float]] = []
    for number, point in enumerate(curve.points):
        x = LEFT + (number + 0.5) * step
        yield Text(x, bottom + 18, _shortened(point.run, step), "middle", colour=QUIET)
        if point.value is None:
            continue
        y = _y(point.value, top)
        drawn.append((x, y))
        if point.low is not None and point.high is not None:
            yield Line(((x, _y(point.low, top)), (x, _y(point.high, top))), BLUE, width=2)
        yield Dot(x, y)
        yield Text(x + 8, y - 6, f"{100 * point.value:.1f}")
    if len(drawn) > 1:
        yield Line(tuple(drawn), BLUE)


def _floors(curve: Curve, top: int, right: int) -> Iterator[Shape]:
    """Lines across the panel; a name that would touch the one below it stands above it."""
    lowest = float(top + PANEL_HEIGHT)
    kinds = (
        ("chance", curve.chance, CHANCE),
        ("blind", curve.blind, BLIND),
        ("blind, trained", curve.trained, TRAINED),
    )
    known = [(value, name, colour) for name, value, colour in kinds if value is not None]
    for value, name, colour in sorted(known):
        y = _y(value, top)
        lowest = min(y + 4, lowest - 13)
        yield Line(((LEFT, y), (right, y)), colour, dashed=True)
        yield Text(right + 6, lowest, f"{name} {100 * value:.1f}", colour=colour)


def _shortened(name: str, room: float) -> str:
    most = max(3, int(room / LETTER))
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _y(share: float, top: int) -> float:
    return top + TOP + PLOT_HEIGHT * (1 - share)
