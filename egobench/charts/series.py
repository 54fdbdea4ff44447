"""Numbers over steps as lines: several series in one panel, with a scale of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from egobench.charts.shapes import COLOURS, RULE, Dot, Line, Shape, Text
from egobench.charts.svg import svg_picture

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 44, 28
MOST = 400
"""Points of a line; of longer series means of neighbours are drawn."""


class Series(NamedTuple):
    """A named line.

    Attributes:
        name: What the numbers are.
        points: ``(step, value)``, by step.
        dots: Whether each point is marked: for few of them.
    """

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False


def series_chart(title: str, series: Sequence[Series], *, logarithmic: bool = False) -> str:
    """Draw series over the same steps, as SVG.

    Args:
        title: What the panel is about.
        series: The lines; points that are not finite are left out.
        logarithmic: Whether the scale is; values at or below 0 are left out then.
    """
    drawn = [Series(name, _thinned(_finite(points, logarithmic=logarithmic)), dots) for name, points, dots in series]
    drawn = [line_of for line_of in drawn if line_of.points]
    shapes: list[Shape] = [Text(LEFT, 18, title, weight="bold")]
    if drawn:
        shapes += _panel(drawn, logarithmic=logarithmic)
    else:
        shapes.append(Text(LEFT, HEIGHT / 2, "nothing to draw"))
    return svg_picture(shapes, WIDTH, HEIGHT).decode()


def _panel(series: Sequence[Series], *, logarithmic: bool) -> Iterator[Shape]:
    steps = [step for member in series for step, _ in member.points]
    values = [_scaled(value, logarithmic=logarithmic) for member in series for _, value in member.points]
    first, last = min(steps), max(steps)
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or max(abs(high) * 0.05, 1e-9)
    low, high = low - margin, high + margin
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(step: float) -> float:
        return LEFT + (step - first) / ((last - first) or 1) * (right - LEFT)

    def y(value: float) -> float:
        return bottom - (_scaled(value, logarithmic=logarithmic) - low) / (high - low) * (bottom - TOP)

    yield Line(((LEFT, bottom), (right, bottom)))
    for share in (0.0, 0.5, 1.0):
        level = low + margin + share * (high - low - 2 * margin)
        value = 10**level if logarithmic else level
        yield Text(LEFT - 8, y(value) + 4, f"{value:.3g}", anchor="end")
        yield Line(((LEFT, y(value)), (right, y(value))), dashed=True, colour=RULE)
    yield Text(LEFT, HEIGHT - 10, f"{first:,.0f}")
    yield Text(right, HEIGHT - 10, f"step {last:,.0f}", anchor="end")
    place = float(LEFT)
    for number, (name, points, dots) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        if dots or len(points) == 1:
            yield from (Dot(x(step), y(value), colour) for step, value in points)
        if len(points) > 1:
            yield Line(tuple((x(step), y(value)) for step, value in points), colour)
        yield Line(((place, 32), (place + 14, 32)), colour)
        yield Text(place + 18, 36, name)
        place += 34 + 6.6 * len(name)


def _finite(points: Sequence[tuple[float, float]], *, logarithmic: bool) -> list[tuple[float, float]]:
    return [(step, value) for step, value in points if math.isfinite(value) and (value > 0 or not logarithmic)]


def _scaled(value: float, *, logarithmic: bool) -> float:
    return math.log10(value) if logarithmic else value


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbours, so that there are few enough points."""
    size = -(-len(points) // MOST) if points else 1
    pieces = [points[first : first + size] for first in range(0, len(points), size)]
    return [(piece[-1][0], sum(value for _, value in piece) / len(piece)) for piece in pieces]
