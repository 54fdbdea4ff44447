"""Charts with a row per run or number: the scores of a task's page, and the overview of a section.

Chance and both blind figures are drawn in every one, and all axes of scores go from 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from .drawing import label, line, link, mark, shortened, svg
from .points import Floor, Floors, Point, percent

LETTER = 8
"""Units of a letter in a name, at most."""


class OverviewRow(NamedTuple):
    """A row of an overview.

    Attributes:
        name: What the number is called.
        points: Its scores.
        floors: What they are read against.
    """

    name: str
    points: Sequence[Point]
    floors: Floors


class Layout(NamedTuple):
    """Where the parts of a chart stand, in units of the drawing.

    Attributes:
        style: Its class in the style sheet, which shows the layout that there is room for.
        left: Room left of the range from 0 to 100.
        plot: Width of that range.
        right: Room right of it.
        row: Height of a row.
        stacked: Whether names and numbers stand above what is drawn instead of beside it.
    """

    style: str
    left: float
    plot: float
    right: float
    row: float
    stacked: bool

    @property
    def width(self) -> float:
        """Width of the drawing."""
        return self.left + self.plot + self.right

    def x(self, value: float) -> float:
        """Return where a score stands; one outside [0, 1] stands at the end of the range."""
        return self.left + self.plot * min(max(value, 0.0), 1.0)

    def middle(self, top: float, row: int) -> float:
        """Return the height of a row's line, by its number from 0 below ``top``."""
        return top + self.row * (row + (0.72 if self.stacked else 0.5))

    def name(self, y: float, words: str) -> Markup:
        """Write the name of a row whose line is at a height."""
        if self.stacked:
            return label(0, y - 14, shortened(words, 32), kind="name")
        return label(self.left - 12, y + 4, shortened(words, 30), anchor="end", kind="name")

    def number(self, y: float, words: str, note: str) -> Iterator[Markup]:
        """Write the number of a row whose line is at a height, and a note on it."""
        if not self.stacked:
            yield label(self.left + self.plot + 14, y + 4, words, kind="number")
            yield label(self.width - 4, y + 4, note, kind="quiet", anchor="end")
            return
        yield label(self.width - 44, y - 14, words, kind="number", anchor="end")
        yield label(self.width, y - 14, note, kind="quiet", anchor="end")


WIDE = Layout("roomy", 236, 560, 116, 26, stacked=False)
NARROW = Layout("narrow", 10, 306, 12, 44, stacked=True)
"""Fits a phone of 360 pixels."""


def whiskers(title: str, points: Sequence[Point], floors: Floors, *, longest: int = 28) -> Markup:
    """Draw a number of several runs: a row per run, with a dot and its interval.

    Args:
        title: What the number is called.
        points: The scores.
        floors: What they are read against.
        longest: Letters of the longest name in this chart and those above and below it, so that their axes are in line.
    """
    words = f"{title}: scores with 95 % intervals"
    return Markup("").join(
        _whiskers(points, floors, layout, label_text=words, longest=longest) for layout in (WIDE, NARROW)
    )


def overview(rows: Sequence[OverviewRow], title: str) -> Markup:
    """Draw several numbers at one glance: a row per number, with a dot per run."""
    words = f"{title}: every run, number by number"
    return Markup("").join(_overview(rows, layout, label_text=words) for layout in (WIDE, NARROW))


def _whiskers(points: Sequence[Point], floors: Floors, layout: Layout, *, label_text: str, longest: int) -> Markup:
    names = [*_floor_names(floors, layout)]
    top = 18 + 12 * max((name.level for name in names), default=0)
    bottom = top + 4 + layout.row * len(points)
    shapes = [*_axis(layout, top, bottom), *_floor_lines(floors, layout, top, bottom)]
    shapes += [label(name.x, top - 8 - 12 * name.level, name.floor.name, kind=f"floor {name.floor.style}-name",
                     anchor="middle") for name in names]  # fmt: skip
    if not layout.stacked and any(point.note for point in points):
        shapes.append(label(layout.width - 4, top - 8, "ranks", kind="tick", anchor="end"))
    for row, point in enumerate(points):
        y, x = layout.middle(top + 4, row), layout.x(point.value)
        name = layout.name(y, point.run)
        shapes.append(link(point.page, name) if point.page else name)
        if point.low is not None and point.high is not None:
            shapes.append(line(layout.x(point.low), y, layout.x(point.high), y, kind="whisker"))
        shapes.append(mark(x, y, point.title, kind=point.style))
        shapes += layout.number(y, percent(point.value), point.note)
    left = 0 if layout.stacked else _unused_left(longest)
    return svg(
        shapes, width=layout.width, height=bottom + 24, label=label_text, role="group", left=left, kind=layout.style
    )


def _overview(rows: Sequence[OverviewRow], layout: Layout, *, label_text: str) -> Markup:
    bottom = 16 + layout.row * len(rows)
    shapes = [*_axis(layout, 10, bottom)]
    for number, row in enumerate(rows):
        y = layout.middle(16, number)
        shapes.append(line(layout.left, y, layout.left + layout.plot, y, kind="rail"))
        shapes.append(layout.name(y, row.name))
        for floor in row.floors.known():
            shapes.append(line(layout.x(floor.value), y - 9, layout.x(floor.value), y + 9, kind=floor.style))
        shapes += [mark(layout.x(point.value), y, point.title, kind=f"{point.style} many") for point in row.points]
        best = max((point.value for point in row.points if not point.partial), default=None)
        shapes += layout.number(y, percent(best), "best" if layout.stacked else "")
    left = 0 if layout.stacked else _unused_left(max((len(row.name) for row in rows), default=0))
    width = layout.width if layout.stacked else layout.left + layout.plot + 64
    return svg(shapes, width=width, height=bottom + 24, label=label_text, left=left, kind=layout.style)


def _unused_left(longest: int) -> float:
    """Return how much of the room for names stays empty if none has more letters."""
    return max(0, WIDE.left - 20 - LETTER * longest)


def _axis(layout: Layout, top: float, bottom: float) -> Iterator[Markup]:
    for tick in range(0, 101, 25):
        x = layout.x(tick / 100)
        yield line(x, top, x, bottom, kind="grid")
        yield label(x, bottom + 18, str(tick), kind="tick", anchor="middle")


def _floor_lines(floors: Floors, layout: Layout, top: float, bottom: float) -> Iterator[Markup]:
    for floor in floors.known():
        yield line(layout.x(floor.value), top - 4, layout.x(floor.value), bottom, kind=floor.style)


class _FloorName(NamedTuple):
    """Where the name of a floor stands; level 0 is the lowest."""

    floor: Floor
    x: float
    level: int


def _floor_names(floors: Floors, layout: Layout) -> Iterator[_FloorName]:
    """Place the names of floors; one that would touch another stands a level higher."""
    ends: list[float] = []
    for floor in sorted(floors.known(), key=lambda floor: floor.value):
        half = 3.2 * len(floor.name)
        x = min(max(layout.x(floor.value), half), layout.width - half)
        level = next((level for level, end in enumerate(ends) if end < x - half), len(ends))
        ends[level : level + 1] = [x + half + 4]
        yield _FloorName(floor, x, level)
