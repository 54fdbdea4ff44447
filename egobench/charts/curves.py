"""Scores of several runs as curves: one panel per score, a dot with its 95 % interval per run, chance dashed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from egobench.charts.svg import dot, line, text, write_svg

WIDTH, PANEL_HEIGHT = 860, 150
LEFT, RIGHT, TOP, PLOT_HEIGHT = 60, 20, 34, 80
BLUE = "#2f5d8a"


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
    """

    title: str
    points: Sequence[CurvePoint]
    chance: float | None = None


def write_curves(curves: Sequence[Curve], path: Path) -> None:
    """Write an SVG file with one panel per score.

    Args:
        curves: The scores, all of the same runs.
        path: The file.

    Raises:
        ChartError: If it cannot be written.
    """
    shapes = [shape for number, curve in enumerate(curves) for shape in _panel(curve, number * PANEL_HEIGHT)]
    write_svg(path, shapes, width=WIDTH, height=PANEL_HEIGHT * len(curves))


def _panel(curve: Curve, top: int) -> Iterator[str]:
    bottom = top + TOP + PLOT_HEIGHT
    yield text(LEFT, top + 22, curve.title, weight="bold")
    yield line(f"M{LEFT} {bottom}H{WIDTH - RIGHT}")
    for share in (0.0, 0.5, 1.0):
        yield text(LEFT - 8, _y(share, top) + 4, f"{100 * share:.0f}", anchor="end")
    if curve.chance is not None:
        yield line(f"M{LEFT} {_y(curve.chance, top):.1f}H{WIDTH - RIGHT}", dashed=True)
        yield text(WIDTH - RIGHT, _y(curve.chance, top) - 4, f"chance {100 * curve.chance:.1f}", anchor="end")
    step = (WIDTH - LEFT - RIGHT) / len(curve.points)
    drawn: list[str] = []
    for number, point in enumerate(curve.points):
        x = LEFT + (number + 0.5) * step
        yield text(x, bottom + 16, point.run, anchor="middle")
        if point.value is None:
            continue
        y = _y(point.value, top)
        drawn.append(f"{x:.1f} {y:.1f}")
        if point.low is not None and point.high is not None:
            yield line(f"M{x:.1f} {_y(point.low, top):.1f}V{_y(point.high, top):.1f}")
        yield dot(x, y, BLUE)
        yield text(x + 8, y - 6, f"{100 * point.value:.1f}")
    if len(drawn) > 1:
        yield line("M" + "L".join(drawn), colour=BLUE)


def _y(share: float, top: int) -> float:
    return top + TOP + PLOT_HEIGHT * (1 - share)
