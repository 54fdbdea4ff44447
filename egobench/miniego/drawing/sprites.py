"""Sprites: small pictures of things in their states, fixtures and hands, drawn once and pasted many times.

Every function here is cached: the same arguments give the same picture, which nobody may draw on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PIL import Image, ImageChops

from egobench.miniego.drawing.fixtures import FIXTURE_HEIGHT, FIXTURE_WIDTH, draw_fixture
from egobench.miniego.drawing.pen import DIRT, SKIN, Pen, darker
from egobench.miniego.drawing.things import SHAPES, Flags
from egobench.miniego.world.vocabulary import COLOURS

_SLEEVE: Final = (92, 104, 122)


@lru_cache(maxsize=8192)
def thing(noun: str, colour: str, flags: Flags, size: int, angle: int = 0, *, mirrored: bool = False) -> Image.Image:
    """A thing, ``size`` pixels wide and high, standing on its lower edge.

    Args:
        noun: One of ``vocabulary.NOUNS``, or ``"door"``.
        colour: One of ``vocabulary.COLOURS``.
        flags: Its states: ``dirty``, ``full``, ``cut``, ``folded``, ``open``.
        size: Pixels.
        angle: Degrees it is turned counterclockwise about its middle; the picture grows to hold it.
        mirrored: Left and right are exchanged before it is turned.
    """
    if angle:
        upright = thing(noun, colour, flags, size, mirrored=mirrored)
        return upright.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    if mirrored:
        return thing(noun, colour, flags, size).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pen = Pen(100, 100, size / 100)
    SHAPES[noun](pen, COLOURS[colour], flags)
    picture = pen.finished()
    return _soiled(picture) if "dirty" in flags else picture


@lru_cache(maxsize=1024)
def fixture(noun: str, flags: Flags, opening: int, unit: float) -> Image.Image:
    """A fixture seen from the front, 100 by 110 units.

    Args:
        noun: One of ``vocabulary.FIXTURES``.
        flags: Its states: ``on``, ``dirty``.
        opening: How far its door is open, in [0, 4].
        unit: Pixels a unit.
    """
    pen = Pen(FIXTURE_WIDTH, FIXTURE_HEIGHT, unit)
    draw_fixture(pen, noun, flags, opening)
    return pen.finished()


@lru_cache(maxsize=64)
def hand(side: str, *, pointing: bool, size: int) -> Image.Image:
    """A hand of the wearer with its forearm, three times as high as wide; it grips half its width below its top.

    Args:
        side: ``"left"`` or ``"right"``.
        pointing: With a stretched finger instead of a grip.
        size: Pixels.
    """
    pen = Pen(100, 300, size / 100)
    pen.shape((30, 84), (78, 84), (100, 300), (34, 300), fill=_SLEEVE)
    pen.box(26, 72, 82, 98, darker(_SLEEVE), radius=8)
    if pointing:
        pen.box(34, 2, 50, 52, SKIN, radius=8)
    pen.box(22, 34, 86, 80, SKIN, radius=18)
    for left in (36, 52, 68) if pointing else (22, 38, 54, 70):
        pen.box(left, 28, left + 17, 56, SKIN, radius=8)
    pen.box(6, 40, 26, 70, SKIN, radius=10)
    picture = pen.finished()
    return picture if side == "right" else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _soiled(picture: Image.Image) -> Image.Image:
    """The picture with stains, nowhere beyond its shape."""
    pen = Pen(100, 100, picture.width / 100)
    pen.spots((30, 62), (62, 88), (76, 56), (44, 44), radius=8, fill=DIRT)
    pen.spots((48, 72), (22, 86), (58, 26), (84, 78), radius=5, fill=DIRT)
    stains = pen.finished()
    stains.putalpha(ImageChops.multiply(stains.getchannel("A"), picture.getchannel("A")))
    return Image.alpha_composite(picture, stains)
