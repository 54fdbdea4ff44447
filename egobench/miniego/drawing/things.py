"""The shapes of things: one function for every noun, on a square of 100 units, standing on its lower edge.

Each gets the thing's colour and its states as a set of flags: ``full``, ``cut``, ``folded`` and ``open`` (a book or a
phone that is being read).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from egobench.miniego.drawing.pen import DARK, METAL, OUTLINE, RGB, WATER, WOOD, Pen, darker, lighter

Flags = frozenset[str]
Shape = Callable[[Pen, RGB, Flags], None]

_CRUMB: Final[RGB] = (250, 232, 190)
_FLESH: Final[RGB] = (252, 246, 214)


def _cup(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.arc((74, 64), 18, 0, 360, fill=darker(fill, 0.15), width=8)
    pen.shape((18, 34), (74, 34), (68, 98), (24, 98), fill=fill)
    pen.oval(18, 24, 74, 44, darker(fill, 0.5))
    if "full" in flags:
        pen.oval(20, 24, 72, 42, WATER)


def _plate(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.oval(2, 52, 98, 98, darker(fill, 0.2))
    pen.oval(2, 46, 98, 92, fill)
    pen.oval(22, 56, 78, 82, lighter(fill, 0.35))


def _bowl(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.shape((4, 50), (96, 50), (82, 82), (64, 98), (36, 98), (18, 82), fill=fill)
    pen.oval(4, 38, 96, 62, darker(fill, 0.5))
    if "full" in flags:
        pen.oval(8, 39, 92, 60, WATER)


def _pan(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.line((60, 66), (98, 40), fill=OUTLINE, width=13)
    pen.line((62, 65), (96, 41), fill=DARK, width=7)
    pen.shape((2, 64), (70, 64), (66, 98), (6, 98), fill=fill)
    pen.oval(2, 52, 70, 76, darker(fill, 0.45))
    if "full" in flags:
        pen.oval(5, 54, 67, 74, WATER)


def _bottle(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.box(40, 2, 60, 14, DARK)
    pen.box(41, 12, 59, 36, fill)
    pen.box(28, 32, 72, 98, fill, radius=10)
    pen.box(36, 44, 64, 90, WATER if "full" in flags else darker(fill, 0.45), radius=4)


def _jug(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.arc((74, 52), 22, 0, 360, fill=OUTLINE, width=14)
    pen.arc((74, 52), 20, 0, 360, fill=fill, width=8)
    pen.shape((8, 14), (76, 20), (66, 44), (80, 80), (72, 98), (20, 98), (12, 80), (26, 44), fill=fill)
    pen.shape((8, 14), (76, 20), (70, 30), (20, 28), fill=WATER if "full" in flags else darker(fill, 0.5))
    if "full" in flags:
        pen.box(34, 56, 58, 90, WATER, radius=4)


def _knife(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.shape((42, 2), (60, 14), (62, 60), (42, 60), fill=METAL)
    pen.box(40, 56, 62, 98, fill, radius=6)


def _spoon(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.box(43, 36, 57, 98, fill, radius=6)
    pen.oval(28, 2, 72, 48, fill)
    pen.oval(37, 10, 63, 40, darker(fill, 0.3), edge=False)


def _apple(pen: Pen, fill: RGB, flags: Flags) -> None:
    if "cut" in flags:
        for left in (0, 51):
            pen.oval(left, 40, left + 48, 98, fill)
            pen.oval(left + 9, 48, left + 39, 92, _FLESH, edge=False)
            pen.spots((left + 24, 66), (left + 24, 76), radius=4, fill=DARK)
        return
    pen.oval(10, 30, 60, 98, fill)
    pen.oval(40, 30, 90, 98, fill)
    pen.box(32, 36, 68, 94, fill, edge=False)
    pen.line((50, 36), (56, 10), fill=DARK, width=6)
    pen.shape((56, 18), (80, 6), (74, 24), fill=(70, 140, 60))


def _carrot(pen: Pen, fill: RGB, flags: Flags) -> None:
    if "cut" in flags:
        for x, y in ((4, 62), (36, 70), (66, 60), (22, 40), (52, 42)):
            pen.oval(x, y, x + 28, y + 26, fill)
            pen.oval(x + 8, y + 7, x + 20, y + 19, lighter(fill, 0.6), edge=False)
        return
    for tip in ((84, 2), (98, 14), (94, 30)):
        pen.line((72, 36), tip, fill=(60, 130, 55), width=8)
    pen.shape((4, 98), (60, 26), (80, 46), fill=fill)
    pen.line((36, 62), (46, 70), fill=darker(fill), width=4)
    pen.line((52, 46), (62, 54), fill=darker(fill), width=4)


def _bread(pen: Pen, fill: RGB, flags: Flags) -> None:
    if "cut" in flags:
        for left in (0, 34, 68):
            pen.box(left, 50, left + 31, 98, fill, radius=9)
            pen.box(left + 7, 58, left + 24, 92, _CRUMB, radius=5, edge=False)
        return
    pen.box(2, 48, 98, 98, fill, radius=22)
    for x in (24, 46, 68):
        pen.line((x, 54), (x + 10, 70), fill=_CRUMB, width=6)


def _book(pen: Pen, fill: RGB, flags: Flags) -> None:
    if "open" in flags:
        pen.shape((2, 28), (50, 36), (98, 28), (98, 88), (50, 96), (2, 88), fill=fill)
        pen.shape((8, 24), (50, 32), (92, 24), (92, 82), (50, 90), (8, 82), fill=_FLESH)
        pen.line((50, 32), (50, 90), width=4)
        for y in (42, 54, 66):
            pen.line((16, y - 4), (43, y), fill=DARK, width=3)
            pen.line((57, y), (84, y - 4), fill=DARK, width=3)
        return
    pen.box(16, 12, 86, 98, _FLESH)
    pen.box(12, 8, 78, 98, fill, radius=3)
    pen.line((24, 10), (24, 96), fill=darker(fill, 0.4), width=5)
    pen.box(36, 26, 68, 46, lighter(fill, 0.5), edge=False)


def _box(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.shape((2, 46), (24, 24), (98, 24), (78, 46), fill=lighter(fill, 0.35))
    pen.shape((78, 46), (98, 24), (98, 78), (78, 98), fill=darker(fill, 0.3))
    pen.box(2, 46, 78, 98, fill)
    pen.box(34, 46, 48, 98, WOOD, edge=False)


def _phone(pen: Pen, fill: RGB, flags: Flags) -> None:
    pen.box(26, 4, 74, 98, fill, radius=10)
    pen.box(33, 16, 67, 82, (225, 245, 255) if "open" in flags else DARK, edge=False)
    pen.oval(44, 85, 56, 95, lighter(fill, 0.5), edge=False)
    if "open" in flags:
        for y in (26, 38, 50, 62):
            pen.line((38, y), (62, y), fill=DARK, width=3)


def _towel(pen: Pen, fill: RGB, flags: Flags) -> None:
    stripe = darker(fill, 0.35) if sum(fill) > 150 else lighter(fill, 0.5)
    if "folded" in flags:
        for top in (82, 68, 54):
            pen.box(10, top, 90, top + 16, fill, radius=6)
        pen.box(24, 56, 34, 97, stripe, edge=False)
        return
    pen.shape((4, 8), (36, 14), (66, 6), (96, 12), (90, 50), (98, 94), (62, 88), (34, 96), (6, 90), (12, 50), fill=fill)
    pen.line((10, 24), (36, 29), (66, 21), (93, 27), fill=stripe, width=7)
    pen.line((9, 76), (34, 81), (62, 74), (94, 79), fill=stripe, width=7)


def _shirt(pen: Pen, fill: RGB, flags: Flags) -> None:
    if "folded" in flags:
        pen.box(14, 44, 86, 98, fill, radius=4)
        pen.shape((36, 44), (64, 44), (50, 64), fill=darker(fill, 0.35))
        pen.line((14, 72), (86, 72), fill=darker(fill, 0.4), width=4)
        return
    pen.shape(
        (28, 8), (72, 8), (98, 34), (84, 50), (74, 42), (74, 96), (26, 96), (26, 42), (16, 50), (2, 34), fill=fill
    )
    pen.shape((38, 8), (62, 8), (50, 26), fill=darker(fill, 0.4))
    pen.spots((50, 42), (50, 58), (50, 74), radius=3, fill=darker(fill, 0.5))


def _sponge(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.box(4, 48, 96, 98, fill, radius=10)
    pen.box(4, 78, 96, 98, darker(fill, 0.4), radius=8)
    holes = darker(fill, 0.35) if sum(fill) > 150 else lighter(fill, 0.4)
    pen.spots((20, 62), (42, 58), (62, 66), (82, 60), (32, 71), (74, 73), radius=5, fill=holes)


def _ball(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.oval(8, 14, 92, 98, fill)
    pen.arc((50, -10), 62, 38, 142, fill=lighter(fill, 0.75) if sum(fill) < 600 else darker(fill, 0.4), width=7)
    pen.arc((50, 122), 62, 218, 322, fill=lighter(fill, 0.75) if sum(fill) < 600 else darker(fill, 0.4), width=7)


def _candle(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.oval(18, 82, 82, 98, METAL)
    pen.box(34, 30, 66, 92, fill)
    pen.line((50, 30), (50, 18), width=4)
    pen.shape((50, 0), (60, 16), (50, 24), (40, 16), fill=(255, 170, 30), edge=False)


def _key(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.arc((28, 54), 26, 0, 360, fill=OUTLINE, width=17)
    pen.arc((28, 54), 24, 0, 360, fill=fill, width=12)
    pen.box(48, 48, 98, 61, fill)
    pen.box(72, 58, 80, 78, fill)
    pen.box(88, 58, 96, 74, fill)


def _door(pen: Pen, fill: RGB, _: Flags) -> None:
    pen.box(20, 2, 80, 98, fill)
    pen.oval(66, 50, 74, 58, METAL)


SHAPES: Final[dict[str, Shape]] = {
    "cup": _cup,
    "plate": _plate,
    "bowl": _bowl,
    "pan": _pan,
    "bottle": _bottle,
    "jug": _jug,
    "knife": _knife,
    "spoon": _spoon,
    "apple": _apple,
    "carrot": _carrot,
    "bread": _bread,
    "book": _book,
    "box": _box,
    "phone": _phone,
    "towel": _towel,
    "shirt": _shirt,
    "sponge": _sponge,
    "ball": _ball,
    "candle": _candle,
    "key": _key,
    "door": _door,
}
"""How each noun is drawn."""
