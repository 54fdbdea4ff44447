"""The shapes of fixtures: 100 units wide and 110 high, standing on their lower edge, seen from the front.

``LAYOUTS`` says for each of them where things in or on it stand, where a hand opens or switches it, and where its water
falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from egobench.miniego.drawing.pen import DARK, METAL, OUTLINE, RGB, WATER, WOOD, Pen, darker, lighter

FIXTURE_WIDTH: Final = 100
FIXTURE_HEIGHT: Final = 110
OPEN: Final = 4
"""A door is drawn at 0 (closed) up to this many quarters (open)."""

Point = tuple[float, float]
Flags = frozenset[str]
Drawing = Callable[[Pen, Flags, int], None]

_WHITE: Final[RGB] = (226, 230, 232)
_STEEL: Final[RGB] = (168, 176, 184)
_STONE: Final[RGB] = (150, 148, 144)
_PINE: Final[RGB] = (216, 180, 128)
_WALNUT: Final[RGB] = (132, 92, 62)
_SPILL: Final[RGB] = (112, 116, 58)
_INSIDE: Final[RGB] = (252, 246, 226)
_COLD: Final[RGB] = (206, 230, 244)
_GLOW: Final[RGB] = (255, 236, 140)


def _grid(columns: tuple[float, ...], *rows: float) -> tuple[Point, ...]:
    return tuple((x, y) for y in rows for x in columns)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things happen on a fixture, in its units.

    Attributes:
        slots: Where the lower edge of a thing's middle stands, in the order in which they are filled.
        handle: What a hand touches to open it.
        switch: What a finger presses to turn it on.
        tap: Where water leaves the tap.
    """

    slots: tuple[Point, ...]
    handle: Point = (50, 50)
    switch: Point = (50, 50)
    tap: Point = (50, 40)

    @property
    def surface(self) -> Point:
        """The middle of what is wiped."""
        return 50, self.slots[0][1] - 5


_FOUR: Final = (20.0, 40.0, 60.0, 80.0)
_TOP: Final = _grid((16.0, 39.0, 62.0, 85.0), 63, 52)

LAYOUTS: Final[dict[str, Layout]] = {
    "fridge": Layout(_grid((26, 42, 58, 74), 62, 32, 94), (23, 56)),
    "cupboard": Layout(_grid(_FOUR, 58, 32), (50, 40)),
    "counter": Layout(_TOP),
    "stove": Layout(_grid((26, 50, 74), 60, 50), switch=(50, 72)),
    "sink": Layout(_grid((26, 42, 62, 78), 72, 62), tap=(66, 30)),
    "bin": Layout(((50, 60),)),
    "cabinet": Layout(_grid(_FOUR, 58, 32), (50, 40)),
    "washing machine": Layout(_grid((36, 50, 64), 86, 72), (26, 76), switch=(78, 43)),
    "shelf": Layout(_grid(_FOUR, 64, 30)),
    "stool": Layout(_grid((32, 50, 68), 66, 58)),
    "tub": Layout(_grid((24, 44, 64, 84), 80, 70), tap=(22, 42)),
    "chest": Layout(_grid((24, 42, 60, 78), 74, 64), (50, 68)),
    "table": Layout(_TOP),
    "sofa": Layout(_grid((24, 41, 59, 76), 80, 70)),
    "television": Layout((), switch=(84, 70)),
    "fan": Layout((), switch=(50, 92)),
    "wardrobe": Layout(_grid(_FOUR, 64, 38, 96), (50, 56)),
    "drawer": Layout(_grid(_FOUR, 70, 62), (50, 66)),
    "desk": Layout(_TOP),
    "bed": Layout(_grid((40, 58, 76, 92), 74, 66)),
    "lamp": Layout((), switch=(50, 62)),
}
"""Where things happen on each fixture."""


def draw_fixture(pen: Pen, noun: str, flags: Flags, opening: int) -> None:
    """Draw a fixture.

    Args:
        pen: A pen on a picture of 100 by 110 units.
        noun: One of ``vocabulary.FIXTURES``.
        flags: ``on``, ``dirty``.
        opening: How far its door is open, in [0, ``OPEN``].
    """
    _DRAWINGS[noun](pen, flags, opening)
    if "dirty" in flags:
        x, y = LAYOUTS[noun].surface
        pen.spots((x - 22, y), (x + 8, y + 3), (x + 26, y - 3), radius=4, fill=_SPILL)
        pen.spots((x - 10, y + 4), (x + 18, y - 2), (x - 3, y - 4), (x - 30, y + 3), radius=2, fill=_SPILL)


def _doors(pen: Pen, inner: tuple[float, float, float, float], fill: RGB, opening: int) -> None:
    """Two wings in front of a hollow; they swing outwards and grow narrower."""
    left, top, right, bottom = inner
    share = opening / OPEN
    width = (right - left) / 2 * (1 - 0.82 * share)
    top, bottom = top - 4 * share, bottom + 4 * share
    for hinge, edge, way in ((left, left - 8 * share + width, -5), (right, right + 8 * share - width, 5)):
        pen.shape((hinge, inner[1]), (edge, top), (edge, bottom), (hinge, inner[3]), fill=fill)
        if opening < OPEN:
            pen.spots((edge + way, (top + bottom) / 2), radius=3, fill=OUTLINE)


def _fridge(pen: Pen, _: Flags, opening: int) -> None:
    pen.box(14, 2, 86, 109, _WHITE, radius=5)
    pen.box(18, 6, 82, 98, _COLD)
    for y in (34, 64):
        pen.line((18, y), (82, y), fill=_STEEL, width=3)
    if opening == OPEN:
        pen.shape((84, 2), (99, 8), (99, 109), (84, 104), fill=darker(_WHITE, 0.15))
        return
    edge = 15 + 17 * opening
    pen.shape((86, 2), (edge, 2 + opening), (edge, 103 + opening), (86, 103), fill=_WHITE)
    pen.line((86, 36), (edge, 35), width=3)
    for top, bottom in ((14, 29), (42, 72)):
        pen.box(edge + 5, top, edge + 11, bottom, _STEEL)


def _cupboard(pen: Pen, _: Flags, opening: int) -> None:
    pen.box(8, 4, 92, 62, WOOD)
    pen.box(12, 8, 88, 59, _INSIDE)
    pen.line((12, 33), (88, 33), fill=WOOD, width=4)
    _doors(pen, (9, 5, 91, 61), WOOD, opening)


def _worktop(pen: Pen, top: RGB, body: RGB) -> None:
    pen.box(6, 60, 94, 109, body)
    pen.shape((10, 42), (90, 42), (99, 64), (1, 64), fill=top)
    pen.box(1, 64, 99, 70, darker(top, 0.2))


def _counter(pen: Pen, _: Flags, __: int) -> None:
    _worktop(pen, _STONE, _PINE)
    for left in (10, 38, 66):
        pen.box(left, 76, left + 24, 105, _PINE)
        pen.box(left + 8, 80, left + 16, 83, OUTLINE, edge=False)


def _stove(pen: Pen, flags: Flags, _: int) -> None:
    _worktop(pen, DARK, _WHITE)
    glow = (255, 70, 20) if "on" in flags else (110, 102, 98)
    for x, y in ((26, 48), (60, 48), (20, 57), (64, 57)):
        pen.oval(x - 5, y - 3, x + 19, y + 4, glow)
    if "on" in flags:
        for x in (20, 33, 60, 73):
            pen.shape((x, 56), (x + 5, 40), (x + 10, 56), fill=(255, 190, 40), edge=False)
    pen.box(18, 80, 82, 105, DARK, radius=3)
    pen.spots((26, 75), (38, 75), (62, 75), (74, 75), radius=3, fill=OUTLINE)
    pen.spots((50, 74), radius=5, fill=(255, 40, 20) if "on" in flags else OUTLINE)


def _sink(pen: Pen, _: Flags, __: int) -> None:
    _worktop(pen, _STEEL, _WHITE)
    pen.box(12, 50, 88, 76, darker(_STEEL, 0.35), radius=8)
    pen.box(17, 54, 83, 74, lighter(_STEEL, 0.3), radius=6, edge=False)
    for width, fill in ((9.0, OUTLINE), (5.0, METAL)):
        pen.line((50, 52), (50, 20), (66, 20), (66, 29), fill=fill, width=width)
    pen.spots((50, 26), radius=4, fill=(200, 50, 50))
    pen.box(47, 30, 53, 38, METAL)


def _bin(pen: Pen, _: Flags, __: int) -> None:
    pen.shape((26, 60), (74, 60), (68, 109), (32, 109), fill=(98, 112, 104))
    for x in (38, 50, 62):
        pen.line((x, 70), (x, 102), fill=(70, 82, 76), width=3)
    pen.oval(24, 52, 76, 68, OUTLINE)


def _cabinet(pen: Pen, _: Flags, opening: int) -> None:
    fill = (176, 206, 210)
    pen.box(8, 4, 92, 62, fill)
    pen.box(12, 8, 88, 59, _INSIDE)
    pen.line((12, 33), (88, 33), fill=_STEEL, width=4)
    _doors(pen, (9, 5, 91, 61), fill, opening)
    if not opening:
        for x in (20, 62):
            pen.line((x, 30), (x + 16, 12), fill=_WHITE, width=4)
            pen.line((x + 4, 38), (x + 18, 22), fill=_WHITE, width=4)


def _washing_machine(pen: Pen, flags: Flags, opening: int) -> None:
    pen.box(10, 36, 90, 109, _WHITE, radius=4)
    pen.line((10, 50), (90, 50), width=2)
    pen.box(16, 40, 40, 47, _STEEL)
    pen.spots((78, 43), radius=4, fill=(60, 220, 70) if "on" in flags else OUTLINE)
    pen.oval(24, 53, 76, 104, METAL)
    pen.oval(30, 59, 70, 98, _INSIDE if opening else DARK)
    if opening:
        width = 24 - 4 * opening
        pen.oval(14 - width / 2, 55, 24 + width / 2, 102, METAL)
    elif "on" in flags:
        pen.oval(32, 61, 68, 96, WATER, edge=False)
        pen.arc((50, 78), 13, 20, 160, fill=_WHITE, width=5)
        pen.arc((50, 78), 13, 200, 340, fill=_WHITE, width=5)


def _shelf(pen: Pen, _: Flags, __: int) -> None:
    for y in (30, 64):
        pen.shape((8, y - 6), (92, y - 6), (98, y), (2, y), fill=(208, 216, 214))
        pen.box(2, y, 98, y + 4, (150, 166, 164))
        for x in (14, 82):
            pen.line((x, y + 4), (x, y + 14), (x + 4, y + 4), fill=DARK, width=3)


def _stool(pen: Pen, _: Flags, __: int) -> None:
    for top, foot in ((30, 22), (70, 78), (44, 42), (56, 58)):
        pen.line((top, 66), (foot, 109), fill=OUTLINE, width=6)
        pen.line((top, 66), (foot, 107), fill=_PINE, width=3)
    pen.oval(14, 58, 86, 76, darker(_PINE))
    pen.oval(14, 50, 86, 70, _PINE)


def _tub(pen: Pen, _: Flags, __: int) -> None:
    pen.shape((2, 62), (98, 62), (90, 104), (10, 104), fill=_WHITE)
    pen.box(1, 56, 99, 84, darker(_WHITE, 0.15), radius=10)
    pen.box(7, 60, 93, 82, lighter(_COLD, 0.3), radius=8, edge=False)
    for width, fill in ((9.0, OUTLINE), (5.0, METAL)):
        pen.line((6, 60), (6, 32), (22, 32), (22, 38), fill=fill, width=width)
    for x in (16, 78):
        pen.box(x, 102, x + 8, 109, METAL)


def _chest(pen: Pen, _: Flags, opening: int) -> None:
    band = (196, 164, 70)
    rise = 24 * opening / OPEN
    pen.shape((10, 58 - rise), (90, 58 - rise), (94, 58), (6, 58), fill=darker(_WALNUT, 0.2))
    if opening:
        pen.shape((6, 56), (94, 56), (96, 78), (4, 78), fill=_INSIDE)
    else:
        pen.box(4, 46, 96, 80, _WALNUT, radius=12)
    pen.box(4, 76, 96, 109, _WALNUT)
    for x in (16, 78):
        pen.box(x, 76, x + 7, 109, band)
    pen.box(45, 74, 56, 86, band)


def _table(pen: Pen, _: Flags, __: int) -> None:
    for x in (8, 84):
        pen.box(x, 66, x + 8, 109, darker(WOOD))
    pen.shape((14, 42), (86, 42), (99, 64), (1, 64), fill=WOOD)
    pen.box(1, 64, 99, 70, darker(WOOD, 0.25))


def _sofa(pen: Pen, _: Flags, __: int) -> None:
    cloth = (104, 134, 134)
    pen.box(8, 38, 92, 90, darker(cloth, 0.25), radius=8)
    pen.box(14, 62, 50, 92, cloth, radius=5)
    pen.box(50, 62, 86, 92, cloth, radius=5)
    pen.box(1, 56, 16, 104, cloth, radius=7)
    pen.box(84, 56, 99, 104, cloth, radius=7)
    pen.box(14, 88, 86, 104, darker(cloth, 0.15))


def _television(pen: Pen, flags: Flags, _: int) -> None:
    pen.box(20, 90, 80, 109, _PINE)
    pen.box(44, 76, 56, 90, OUTLINE)
    pen.box(2, 18, 98, 78, OUTLINE, radius=3)
    if "on" in flags:
        pen.box(7, 23, 93, 66, (90, 190, 250), edge=False)
        pen.oval(20, 28, 40, 46, (255, 225, 80), edge=False)
        pen.shape((30, 66), (62, 36), (93, 66), fill=(70, 170, 80), edge=False)
    else:
        pen.box(7, 23, 93, 66, (62, 64, 70), edge=False)
    pen.spots((84, 71), radius=3, fill=(70, 255, 90) if "on" in flags else (150, 40, 40))


def _fan(pen: Pen, flags: Flags, _: int) -> None:
    pen.box(46, 50, 54, 100, _STEEL)
    pen.oval(26, 98, 74, 109, _STEEL)
    pen.oval(14, 2, 86, 74, (238, 240, 240))
    if "on" in flags:
        for radius in (8, 15, 22, 29):
            pen.arc((50, 38), radius, 0, 360, fill=(120, 170, 190), width=4)
    else:
        for x, y in ((50, 16), (69, 49), (31, 49)):
            pen.oval(x - 11, y - 11, x + 11, y + 11, (120, 170, 190))
    pen.oval(43, 31, 57, 45, _STEEL)
    pen.spots((50, 92), radius=5, fill=(60, 220, 70) if "on" in flags else OUTLINE)


def _wardrobe(pen: Pen, _: Flags, opening: int) -> None:
    pen.box(6, 2, 94, 109, _WALNUT)
    pen.box(10, 6, 90, 100, _INSIDE)
    for y in (40, 68):
        pen.line((10, y), (90, y), fill=_WALNUT, width=4)
    _doors(pen, (7, 4, 93, 102), _WALNUT, opening)


def _drawer(pen: Pen, _: Flags, opening: int) -> None:
    pen.box(6, 44, 94, 109, _PINE)
    pen.shape((6, 44), (12, 38), (88, 38), (94, 44), fill=lighter(_PINE, 0.3))
    slide = 14 * opening / OPEN
    for y in (90.0, 70.0):
        pen.box(10, y, 90, y + 17, _PINE)
        pen.box(43, y + 6, 57, y + 10, OUTLINE, edge=False)
    if opening:
        pen.shape((12, 50), (88, 50), (92, 58 + slide), (8, 58 + slide), fill=_INSIDE)
        pen.box(8 - slide / 4, 58 + slide, 92 + slide / 4, 76 + slide, _PINE)
        pen.box(43, 64 + slide, 57, 68 + slide, OUTLINE, edge=False)
    else:
        pen.box(10, 50, 90, 67, _PINE)
        pen.box(43, 56, 57, 60, OUTLINE, edge=False)


def _desk(pen: Pen, _: Flags, __: int) -> None:
    top = (120, 132, 158)
    pen.box(6, 66, 12, 109, DARK)
    pen.box(62, 66, 94, 109, top)
    for y in (72, 90):
        pen.box(66, y, 90, y + 15, top)
        pen.box(74, y + 5, 82, y + 8, OUTLINE, edge=False)
    pen.shape((12, 42), (88, 42), (99, 64), (1, 64), fill=top)
    pen.box(1, 64, 99, 70, darker(top))


def _bed(pen: Pen, _: Flags, __: int) -> None:
    pen.box(1, 28, 12, 109, _WALNUT, radius=3)
    pen.box(88, 62, 97, 109, _WALNUT, radius=3)
    pen.box(8, 88, 92, 100, _WALNUT)
    pen.box(8, 60, 94, 90, (232, 222, 226), radius=5)
    pen.box(34, 58, 94, 90, (168, 152, 184), radius=5)
    pen.box(11, 50, 34, 68, (246, 246, 246), radius=7)


def _lamp(pen: Pen, flags: Flags, _: int) -> None:
    if "on" in flags:
        pen.spots((50, 32), radius=32, fill=(255, 248, 200))
    pen.box(47, 44, 53, 104, DARK)
    pen.oval(30, 98, 70, 109, DARK)
    pen.shape((36, 10), (64, 10), (78, 48), (22, 48), fill=_GLOW if "on" in flags else (150, 128, 108))
    pen.line((50, 48), (50, 60), fill=OUTLINE, width=2)
    pen.spots((50, 62), radius=4, fill=_GLOW if "on" in flags else OUTLINE)


_DRAWINGS: Final[dict[str, Drawing]] = {
    "fridge": _fridge,
    "cupboard": _cupboard,
    "counter": _counter,
    "stove": _stove,
    "sink": _sink,
    "bin": _bin,
    "cabinet": _cabinet,
    "washing machine": _washing_machine,
    "shelf": _shelf,
    "stool": _stool,
    "tub": _tub,
    "chest": _chest,
    "table": _table,
    "sofa": _sofa,
    "television": _television,
    "fan": _fan,
    "wardrobe": _wardrobe,
    "drawer": _drawer,
    "desk": _desk,
    "bed": _bed,
    "lamp": _lamp,
}
