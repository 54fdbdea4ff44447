"""Scatter plots and radars of the site. All axes of scores go from 0 to 100, and floors are drawn as on all charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from .drawing import label, line, mark, polygon, shortened, svg
from .points import Floors, Point, percent
from .row_charts import LETTER, NARROW


class _Frame(NamedTuple):
    """Where a scatter plot stands in its drawing, in units: its class in the style sheet, and the room around it."""

    style: str
    left: float
    width: float
    right: float
    top: float = 14
    height: float = 260

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - min(max(value, 0.0), 1.0))


_FRAMES = (_Frame("roomy", 52.0, 640.0, 100.0), _Frame("narrow", 34.0, 284.0, 10.0))


def scatter(title: str, points: Sequence[Point], floors: Floors, *, x_name: str, logarithmic: bool) -> Markup:
    """Draw a number of several runs against something about them.

    Args:
        title: What the number is called.
        points: The scores, with :attr:`Point.x`.
        floors: What they are read against.
        x_name: What the horizontal axis is.
        logarithmic: Whether it is logarithmic; all x are above 0 then.
    """
    words = f"{title} against {x_name}"
    positions = [math.log10(point.x) if logarithmic else point.x for point in points]
    return Markup("").join(
        svg(
            _scatter(points, positions, floors, frame, x_name),
            width=frame.left + frame.width + frame.right,
            height=frame.top + frame.height + 52,
            label=words,
            kind=frame.style,
        )
        for frame in _FRAMES
    )


def _scatter(
    points: Sequence[Point], positions: Sequence[float], floors: Floors, frame: _Frame, x_name: str
) -> Iterator[Markup]:
    least, most = min(positions), max(positions)
    margin = (most - least) * 0.08 or 1.0
    least, most = least - margin, most + margin
    right, bottom = frame.left + frame.width, frame.top + frame.height

    def across(position: float) -> float:
        return frame.left + frame.width * (position - least) / (most - least)

    for tick in range(0, 101, 25):
        yield line(frame.left, frame.y(tick / 100), right, frame.y(tick / 100), kind="grid")
        yield label(frame.left - 10, frame.y(tick / 100) + 4, str(tick), kind="tick", anchor="end")
    for floor in floors.known():
        yield line(frame.left, frame.y(floor.value), right, frame.y(floor.value), kind=floor.style)
        if frame.right > frame.width / 10:
            yield label(right + 6, frame.y(floor.value) + 4, floor.name, kind=f"floor {floor.style}-name")
    last_label = -math.inf
    for position, x in sorted({(position, point.x) for point, position in zip(points, positions, strict=True)}):
        if across(position) - last_label >= LETTER * len(amount(x)):
            yield label(across(position), bottom + 20, amount(x), kind="tick", anchor="middle")
            last_label = across(position)
    for point, position in zip(points, positions, strict=True):
        x, y = across(position), frame.y(point.value)
        if point.low is not None and point.high is not None:
            yield line(x, frame.y(point.low), x, frame.y(point.high), kind="whisker")
        yield mark(x, y, f"{point.title}, {amount(point.x)} {x_name}", kind=point.style)
    yield label(frame.left + frame.width / 2, bottom + 42, x_name, kind="quiet", anchor="middle")


class RadarAxis(NamedTuple):
    """An axis of a radar.

    Attributes:
        name: What the number is called.
        value: The run's score, in [0, 1].
        floors: What it is read against.
    """

    name: str
    value: float
    floors: Floors


class _Circle(NamedTuple):
    """The circle at whose rim a radar's axes end, in units of the drawing."""

    x: float
    y: float
    radius: float

    def spoke(self, axis: int, count: int, value: float) -> tuple[float, float]:
        """Return where a value stands on one of ``count`` axes; the first points up."""
        angle = 2 * math.pi * axis / count - math.pi / 2
        return self.x + self.radius * value * math.cos(angle), self.y + self.radius * value * math.sin(angle)


_ROOMY, _NARROW = _Circle(380.0, 220.0, 165.0), _Circle(164.0, 146.0, 120.0)


def radar(title: str, axes: Sequence[RadarAxis]) -> Markup:
    """Draw the scores of a run around a circle; every axis goes from 0 to 100, whoever is drawn.

    Args:
        title: What the run is called.
        axes: The numbers, at least three.
    """
    words = f"{title} on axes from 0 to 100"
    roomy, narrow = _rings(title, axes, _ROOMY), _rings(title, axes, _NARROW)
    for number, axis in enumerate(axes):
        x, y = _ROOMY.spoke(number, len(axes), 1.1)
        anchor = "middle" if abs(x - _ROOMY.x) < 20 else "start" if x > _ROOMY.x else "end"
        roomy.append(label(x, y + 4, f"{shortened(axis.name, 30)} {percent(axis.value)}", kind="tick", anchor=anchor))
        x, y = _NARROW.spoke(number, len(axes), 1.12)
        below = 310 + 20 * number
        narrow.append(label(x, y + 4, str(number + 1), kind="tick", anchor="middle"))
        narrow.append(label(0, below, f"{number + 1}  {shortened(axis.name, 30)}", kind="tick"))
        narrow.append(label(NARROW.width, below, percent(axis.value), kind="number", anchor="end"))
    height = 310 + 20 * len(axes)
    return svg(roomy, width=760, height=430, label=words, kind="roomy") + svg(
        narrow, width=NARROW.width, height=height, label=words, kind="narrow"
    )


def _rings(title: str, axes: Sequence[RadarAxis], circle: _Circle) -> list[Markup]:
    """Draw the grid of a radar, the floors that all axes have, and the run, without a word."""
    count = len(axes)
    shapes = [
        polygon([circle.spoke(axis, count, ring / 4) for axis in range(count)], kind="grid", title=f"{25 * ring}")
        for ring in range(1, 5)
    ]
    shapes += [line(circle.x, circle.y, *circle.spoke(axis, count, 1.0), kind="grid") for axis in range(count)]
    known = [{floor.name: floor for floor in axis.floors.known()} for axis in axes]
    for name in known[0]:
        floors = [of_axis[name] for of_axis in known if name in of_axis]
        if len(floors) == count:
            corners = [circle.spoke(axis, count, floor.value) for axis, floor in enumerate(floors)]
            shapes.append(polygon(corners, kind=f"ring {floors[0].style}", title=name))
    corners = [circle.spoke(number, count, axis.value) for number, axis in enumerate(axes)]
    shapes.append(polygon(corners, kind="ring run", title=title))
    shapes += [
        mark(x, y, f"{axis.name}: {percent(axis.value)}", radius=3.5)
        for axis, (x, y) in zip(axes, corners, strict=True)
    ]
    return shapes


def amount(number: float) -> str:
    """Write a count as people do: ``"16"``, ``"7B"``, ``"1.5B"``."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"
