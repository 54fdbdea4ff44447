"""The charts of the site. Chance and both blind figures are drawn in every one; all axes of scores go from 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from .drawing import label, line, link, mark, polygon, shortened, svg


@dataclass(frozen=True, slots=True)
class Floors:
    """What a score has to be read against, in [0, 1]; ``None`` where it is not known.

    Attributes:
        chance: Value under scores that are all equal.
        blind: Best attack that sees the options alone.
        trained: Best attack that has learned from other videos' questions, options and answers.
    """

    chance: float | None = None
    blind: float | None = None
    trained: float | None = None

    def items(self) -> Iterator[tuple[str, float]]:
        """Names and values of those that are known."""
        for name, value in (("chance", self.chance), ("blind", self.blind), ("blind, trained", self.trained)):
            if value is not None:
                yield name, value


@dataclass(frozen=True, slots=True)
class Point:
    """A score of a run, in [0, 1].

    Attributes:
        run: What the run is called.
        value: The score.
        low: Lower end of its interval; ``None`` where there is none.
        high: Upper end.
        note: What stands beside it, such as its rank set.
        page: Where more of the run is found; ``""`` for nowhere.
        x: Where it stands on a second axis.
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
        """Name, score and interval."""
        beside = f", ranks {self.note}" if self.note else ", partial" if self.partial else ""
        return f"{self.run}: {percent(self.value)}{interval(self.low, self.high)}{beside}"

    @property
    def kind(self) -> str:
        """How its dot is drawn: hollow where only some of the samples were asked."""
        return "dot hollow" if self.partial else "dot"


KINDS = {"chance": "chance", "blind": "blind", "blind, trained": "trained"}
LETTER = 8
"""Room for a letter of a name."""


class Layout(NamedTuple):
    """Where the parts of a chart stand, in units.

    Attributes:
        left: Room left of the range from 0 to 100.
        plot: Width of that range.
        right: Room right of it.
        row: Height of a row.
        stacked: Whether names and numbers stand above what is drawn instead of beside it.
    """

    left: float
    plot: float
    right: float
    row: float
    stacked: bool

    @property
    def width(self) -> float:
        """Of all."""
        return self.left + self.plot + self.right

    def x(self, value: float) -> float:
        """Where a score stands."""
        return self.left + self.plot * min(max(value, 0.0), 1.0)

    def middle(self, top: float, row: int) -> float:
        """Height of the line of a row below the first one's upper end."""
        return top + self.row * (row + (0.72 if self.stacked else 0.5))

    def name(self, y: float, words: str) -> Markup:
        """The name of a row whose line is at a height."""
        if self.stacked:
            return label(0, y - 14, shortened(words, 32), kind="name")
        return label(self.left - 12, y + 4, shortened(words, 30), anchor="end", kind="name")

    def number(self, y: float, words: str, note: str) -> Iterator[Markup]:
        """The number of a row, and a note on it."""
        if not self.stacked:
            yield label(self.left + self.plot + 14, y + 4, words, kind="number")
            yield label(self.width - 4, y + 4, note, kind="quiet", anchor="end")
            return
        yield label(self.width - 44, y - 14, words, kind="number", anchor="end")
        yield label(self.width, y - 14, note, kind="quiet", anchor="end")


WIDE = Layout(236, 560, 116, 26, stacked=False)
NARROW = Layout(10, 306, 12, 44, stacked=True)
"""Fits a phone of 360 pixels."""

LAYOUTS = {"roomy": WIDE, "narrow": NARROW}
"""By the class of the chart: the style sheet shows the one that there is room for."""


def percent(value: float | None) -> str:
    """A share times 100."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval times 100, with a blank before it; ``""`` where there is none."""
    return "" if low is None or high is None else f" [{percent(low)}, {percent(high)}]"


def _unused(longest: int) -> float:
    """How much of the room for names stays empty where none has more letters."""
    return max(0, WIDE.left - 20 - LETTER * longest)


def whiskers(title: str, points: Sequence[Point], floors: Floors, *, longest: int = 28) -> Markup:
    """One number of all runs: a dot with its interval per run.

    Args:
        title: What the number is called.
        points: The scores.
        floors: What they are read against.
        longest: Letters of the longest name in this chart and those above and below it, so that their axes are in line.
    """
    words = f"{title}: scores with 95 % intervals"
    return Markup("").join(
        _whiskers(points, floors, (words, kind, longest), layout) for kind, layout in LAYOUTS.items()
    )


def _whiskers(points: Sequence[Point], floors: Floors, words: tuple[str, str, int], layout: Layout) -> Markup:
    title, kind, longest = words
    names = [*_floor_names(floors, layout)]
    top = 18 + 12 * max((level for *_, level in names), default=0)
    bottom = top + 4 + layout.row * len(points)
    shapes = [*_axis(layout, top, bottom), *_floors(floors, names, (top, bottom), layout)]
    if not layout.stacked and any(point.note for point in points):
        shapes.append(label(layout.width - 4, top - 8, "ranks", kind="tick", anchor="end"))
    for row, point in enumerate(points):
        y, x = layout.middle(top + 4, row), layout.x(point.value)
        name = layout.name(y, point.run)
        shapes.append(link(point.page, name) if point.page else name)
        if point.low is not None and point.high is not None:
            shapes.append(line(layout.x(point.low), y, layout.x(point.high), y, kind="whisker"))
        shapes.append(mark(x, y, point.title, kind=point.kind))
        shapes += layout.number(y, percent(point.value), point.note)
    left = 0 if layout.stacked else _unused(longest)
    return svg(shapes, width=layout.width, height=bottom + 24, label=title, role="group", left=left, kind=kind)


def overview(rows: Sequence[tuple[str, Sequence[Point], Floors]], title: str) -> Markup:
    """Several numbers at one glance: a line per number, a dot per run."""
    words = f"{title}: every run, number by number"
    return Markup("").join(_overview(rows, words, kind, layout) for kind, layout in LAYOUTS.items())


def _overview(rows: Sequence[tuple[str, Sequence[Point], Floors]], words: str, kind: str, layout: Layout) -> Markup:
    bottom = 16 + layout.row * len(rows)
    shapes = [*_axis(layout, 10, bottom)]
    for row, (name, points, floors) in enumerate(rows):
        y = layout.middle(16, row)
        shapes.append(line(layout.left, y, layout.left + layout.plot, y, kind="rail"))
        shapes.append(layout.name(y, name))
        for floor, value in floors.items():
            shapes.append(line(layout.x(value), y - 9, layout.x(value), y + 9, kind=KINDS[floor]))
        shapes += [mark(layout.x(point.value), y, point.title, kind=f"{point.kind} many") for point in points]
        best = max((point.value for point in points if not point.partial), default=None)
        shapes += layout.number(y, percent(best), "best" if layout.stacked else "")
    left = 0 if layout.stacked else _unused(max((len(name) for name, _, _ in rows), default=0))
    width = layout.width if layout.stacked else layout.left + layout.plot + 64
    return svg(shapes, width=width, height=bottom + 24, label=words, left=left, kind=kind)


def scatter(title: str, points: Sequence[Point], floors: Floors, *, x_name: str, logarithmic: bool) -> Markup:
    """A number of all runs against something about them."""
    words, places = f"{title} against {x_name}", [math.log10(point.x) if logarithmic else point.x for point in points]
    frames = {"roomy": (52.0, 640.0, 100.0), "narrow": (34.0, 284.0, 10.0)}
    return Markup("").join(
        _scatter([*zip(points, places, strict=True)], floors, (words, kind, x_name), frame)
        for kind, frame in frames.items()
    )


def _scatter(
    points: Sequence[tuple[Point, float]],
    floors: Floors,
    names: tuple[str, str, str],
    frame: tuple[float, float, float],
) -> Markup:
    (words, kind, x_name), (left, width, right), top, height = names, frame, 14, 260
    places = [place for _, place in points]
    least, most = min(places), max(places)
    room = (most - least) * 0.08 or 1.0
    least, most = least - room, most + room

    def across(place: float) -> float:
        return left + width * (place - least) / (most - least)

    def up(value: float) -> float:
        return top + height * (1 - min(max(value, 0.0), 1.0))

    shapes: list[Markup] = []
    for tick in range(0, 101, 25):
        shapes.append(line(left, up(tick / 100), left + width, up(tick / 100), kind="grid"))
        shapes.append(label(left - 10, up(tick / 100) + 4, str(tick), kind="tick", anchor="end"))
    for floor, value in floors.items():
        shapes.append(line(left, up(value), left + width, up(value), kind=KINDS[floor]))
        if right > width / 10:
            shapes.append(label(left + width + 6, up(value) + 4, floor, kind=f"floor {KINDS[floor]}-name"))
    labelled = -math.inf
    for place, x in sorted({(place, point.x) for point, place in points}):
        if across(place) - labelled >= LETTER * len(amount(x)):
            shapes.append(label(across(place), top + height + 20, amount(x), kind="tick", anchor="middle"))
            labelled = across(place)
    for point, place in points:
        x, y = across(place), up(point.value)
        if point.low is not None and point.high is not None:
            shapes.append(line(x, up(point.low), x, up(point.high), kind="whisker"))
        shapes.append(mark(x, y, f"{point.title}, {amount(point.x)} {x_name}", kind=point.kind))
    shapes.append(label(left + width / 2, top + height + 42, x_name, kind="quiet", anchor="middle"))
    return svg(shapes, width=left + width + right, height=top + height + 52, label=words, kind=kind)


def radar(title: str, axes: Sequence[tuple[str, float, Floors]]) -> Markup:
    """A run on fixed axes: every spoke goes from 0 to 100, whoever is drawn."""
    words = f"{title} on axes from 0 to 100"
    wide = _rings(title, axes, (380.0, 220.0), 165.0)
    for axis, (name, value, _) in enumerate(axes):
        x, y = _spoke(axis, len(axes), 1.1, ((380.0, 220.0), 165.0))
        anchor = "middle" if abs(x - 380) < 20 else "start" if x > 380 else "end"
        wide.append(label(x, y + 4, f"{shortened(name, 30)} {percent(value)}", kind="tick", anchor=anchor))
    narrow = _rings(title, axes, (164.0, 146.0), 120.0)
    for axis, (name, value, _) in enumerate(axes):
        x, y = _spoke(axis, len(axes), 1.12, ((164.0, 146.0), 120.0))
        narrow.append(label(x, y + 4, str(axis + 1), kind="tick", anchor="middle"))
        narrow.append(label(0, 310 + 20 * axis, f"{axis + 1}  {shortened(name, 30)}", kind="tick"))
        narrow.append(label(NARROW.width, 310 + 20 * axis, percent(value), kind="number", anchor="end"))
    height = 310 + 20 * len(axes)
    return svg(wide, width=760, height=430, label=words, kind="roomy") + svg(
        narrow, width=NARROW.width, height=height, label=words, kind="narrow"
    )


def _spoke(axis: int, count: int, value: float, circle: tuple[tuple[float, float], float]) -> tuple[float, float]:
    """Where a value stands on one of the spokes of a circle."""
    angle, ((x, y), radius) = 2 * math.pi * axis / count - math.pi / 2, circle
    return x + radius * value * math.cos(angle), y + radius * value * math.sin(angle)


def _rings(
    title: str, axes: Sequence[tuple[str, float, Floors]], centre: tuple[float, float], radius: float
) -> list[Markup]:
    """The spokes and all that is drawn on them, without a word."""
    count = len(axes)

    def place(axis: int, value: float) -> tuple[float, float]:
        return _spoke(axis, count, value, (centre, radius))

    shapes = [
        polygon([place(axis, ring / 4) for axis in range(count)], kind="grid", title=f"{25 * ring}")
        for ring in range(1, 5)
    ]
    shapes += [line(*centre, *place(axis, 1.0), kind="grid") for axis in range(count)]
    for kind, style in KINDS.items():
        values = [dict(floors.items()).get(kind) for _, _, floors in axes]
        if all(value is not None for value in values):
            corners = [place(axis, value or 0.0) for axis, value in enumerate(values)]
            shapes.append(polygon(corners, kind=f"ring {style}", title=kind))
    shapes.append(
        polygon([place(axis, value) for axis, (_, value, _) in enumerate(axes)], kind="ring run", title=title)
    )
    shapes += [
        mark(*place(axis, value), f"{name}: {percent(value)}", radius=3.5) for axis, (name, value, _) in enumerate(axes)
    ]
    return shapes


def amount(number: float) -> str:
    """A count in the way people write it: ``"16"``, ``"7B"``, ``"1.5B"``."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def _axis(layout: Layout, top: float, bottom: float) -> Iterator[Markup]:
    for tick in range(0, 101, 25):
        x = layout.x(tick / 100)
        yield line(x, top, x, bottom, kind="grid")
        yield label(x, bottom + 18, str(tick), kind="tick", anchor="middle")


def _floor_names(floors: Floors, layout: Layout) -> Iterator[tuple[str, float, int]]:
    """Name, place and level of each floor: a name that would touch another stands a level higher, from 0."""
    ends: list[float] = []
    for name, value in sorted(floors.items(), key=lambda item: item[1]):
        half = 3.2 * len(name)
        x = min(max(layout.x(value), half), layout.width - half)
        level = next((level for level, end in enumerate(ends) if end < x - half), len(ends))
        ends[level : level + 1] = [x + half + 4]
        yield name, x, level


def _floors(
    floors: Floors, names: Sequence[tuple[str, float, int]], ends: tuple[float, float], layout: Layout
) -> Iterator[Markup]:
    """The lines, and their names above."""
    top, bottom = ends
    for kind, value in floors.items():
        yield line(layout.x(value), top - 4, layout.x(value), bottom, kind=KINDS[kind])
    for kind, x, level in names:
        yield label(x, top - 8 - 12 * level, kind, kind=f"floor {KINDS[kind]}-name", anchor="middle")
