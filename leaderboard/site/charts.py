"""The charts of the site. Chance and both blind figures are drawn in every one; all axes of scores go from 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
LEFT, PLOT, RIGHT, ROW = 236, 560, 116, 26
LETTER = 8
"""Room for a letter of a name."""


def percent(value: float | None) -> str:
    """A share times 100."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval times 100, with a blank before it; ``""`` where there is none."""
    return "" if low is None or high is None else f" [{percent(low)}, {percent(high)}]"


def _unused(longest: int) -> float:
    """How much of the room for names stays empty where none has more letters."""
    return max(0, LEFT - 20 - LETTER * longest)


def whiskers(title: str, points: Sequence[Point], floors: Floors, *, longest: int = 28) -> Markup:
    """One number of all runs: a dot with its interval per run.

    Args:
        title: What the number is called.
        points: The scores.
        floors: What they are read against.
        longest: Letters of the longest name in this chart and those above and below it, so that their axes are in line.
    """
    bottom = 34 + ROW * len(points)
    shapes = [*_axis(LEFT, PLOT, 30, bottom), *_floors(floors, LEFT, PLOT, 30, bottom)]
    if any(point.note for point in points):
        shapes.append(label(LEFT + PLOT + RIGHT - 4, 22, "ranks", kind="tick", anchor="end"))
    for row, point in enumerate(points):
        y, x = 34 + ROW * (row + 0.5), _x(point.value)
        name = label(LEFT - 12, y + 4, shortened(point.run, 28), anchor="end", kind="name")
        shapes.append(link(point.page, name) if point.page else name)
        if point.low is not None and point.high is not None:
            shapes.append(line(_x(point.low), y, _x(point.high), y, kind="whisker"))
        shapes.append(mark(x, y, point.title, kind=point.kind))
        shapes.append(label(LEFT + PLOT + 14, y + 4, percent(point.value), kind="number"))
        shapes.append(label(LEFT + PLOT + RIGHT - 4, y + 4, point.note, kind="quiet", anchor="end"))
    words = f"{title}: scores with 95 % intervals"
    width = LEFT + PLOT + RIGHT
    return svg(shapes, width=width, height=bottom + 24, label=words, role="group", left=_unused(longest))


def overview(rows: Sequence[tuple[str, Sequence[Point], Floors]], title: str) -> Markup:
    """Several numbers at one glance: a line per number, a dot per run."""
    bottom = 16 + ROW * len(rows)
    shapes = [*_axis(LEFT, PLOT, 10, bottom)]
    for row, (name, points, floors) in enumerate(rows):
        y = 16 + ROW * (row + 0.5)
        shapes.append(line(LEFT, y, LEFT + PLOT, y, kind="rail"))
        shapes.append(label(LEFT - 12, y + 4, shortened(name, 30), anchor="end", kind="name"))
        for kind, value in floors.items():
            shapes.append(line(_x(value), y - 9, _x(value), y + 9, kind=KINDS[kind]))
        shapes += [mark(_x(point.value), y, point.title, kind=f"{point.kind} many") for point in points]
        best = max((point.value for point in points if not point.partial), default=None)
        shapes.append(label(LEFT + PLOT + 14, y + 4, percent(best), kind="number"))
    words, left = f"{title}: every run, number by number", _unused(max((len(name) for name, _, _ in rows), default=0))
    return svg(shapes, width=LEFT + PLOT + 64, height=bottom + 24, label=words, left=left)


def scatter(title: str, points: Sequence[Point], floors: Floors, *, x_name: str, logarithmic: bool) -> Markup:
    """A number of all runs against something about them."""
    left, width, top, height = 52, 640, 14, 260
    places = [math.log10(point.x) if logarithmic else point.x for point in points]
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
    for kind, value in floors.items():
        shapes.append(line(left, up(value), left + width, up(value), kind=KINDS[kind]))
        shapes.append(label(left + width + 6, up(value) + 4, kind, kind=f"floor {KINDS[kind]}-name"))
    for x in sorted({point.x for point in points}):
        place = across(math.log10(x) if logarithmic else x)
        shapes.append(label(place, top + height + 20, amount(x), kind="tick", anchor="middle"))
    for point, place in zip(points, places, strict=True):
        x, y = across(place), up(point.value)
        if point.low is not None and point.high is not None:
            shapes.append(line(x, up(point.low), x, up(point.high), kind="whisker"))
        shapes.append(mark(x, y, f"{point.title}, {amount(point.x)} {x_name}", kind=point.kind))
    shapes.append(label(left + width / 2, top + height + 42, x_name, kind="quiet", anchor="middle"))
    return svg(shapes, width=left + width + 100, height=top + height + 52, label=f"{title} against {x_name}")


def radar(title: str, axes: Sequence[tuple[str, float, Floors]]) -> Markup:
    """A run on fixed axes: every spoke goes from 0 to 100, whoever is drawn."""
    centre, radius, count = (380.0, 220.0), 165.0, len(axes)

    def place(axis: int, value: float) -> tuple[float, float]:
        angle = 2 * math.pi * axis / count - math.pi / 2
        return centre[0] + radius * value * math.cos(angle), centre[1] + radius * value * math.sin(angle)

    shapes = [
        polygon([place(axis, ring / 4) for axis in range(count)], kind="grid", title=f"{25 * ring}")
        for ring in range(1, 5)
    ]
    for axis, (name, value, _) in enumerate(axes):
        shapes.append(line(*centre, *place(axis, 1.0), kind="grid"))
        x, y = place(axis, 1.1)
        anchor = "middle" if abs(x - centre[0]) < 20 else "start" if x > centre[0] else "end"
        shapes.append(label(x, y + 4, f"{shortened(name, 30)} {percent(value)}", kind="tick", anchor=anchor))
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
    return svg(shapes, width=760, height=430, label=f"{title} on axes from 0 to 100")


def amount(number: float) -> str:
    """A count in the way people write it: ``"16"``, ``"7B"``, ``"1.5B"``."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def _x(value: float) -> float:
    return LEFT + PLOT * min(max(value, 0.0), 1.0)


def _axis(left: float, width: float, top: float, bottom: float) -> Iterator[Markup]:
    for tick in range(0, 101, 25):
        x = left + width * tick / 100
        yield line(x, top, x, bottom, kind="grid")
        yield label(x, bottom + 18, str(tick), kind="tick", anchor="middle")


def _floors(floors: Floors, left: float, width: float, top: float, bottom: float) -> Iterator[Markup]:
    """The lines, and their names above; a name that would touch the one before is put a line higher."""
    last = -math.inf
    for kind, value in sorted(floors.items(), key=lambda item: item[1]):
        x = left + width * value
        yield line(x, top - 4, x, bottom, kind=KINDS[kind])
        high = x - last < 62
        last = -math.inf if high else x
        yield label(x, top - (20 if high else 8), kind, kind=f"floor {KINDS[kind]}-name", anchor="middle")
