"""The pen that draws every sprite of MiniEgo in units of its own, and the colours of materials."""

from __future__ import annotations

import math
from typing import Final

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]

OUTLINE: Final[RGB] = (38, 34, 32)
METAL: Final[RGB] = (190, 196, 204)
WOOD: Final[RGB] = (186, 140, 94)
DARK: Final[RGB] = (70, 62, 58)
WATER: Final[RGB] = (110, 185, 245)
SKIN: Final[RGB] = (236, 186, 152)
DIRT: Final[RGB] = (104, 76, 40)
SMOOTHING: Final = 3
"""Pictures are drawn this many times as large as they are shown."""


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """A colour between two: ``share`` in [0, 1] of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: RGB, share: float = 0.3) -> RGB:
    """The colour with ``share`` in [0, 1] of black."""
    return mixed(colour, (0, 0, 0), share)


def lighter(colour: RGB, share: float = 0.4) -> RGB:
    """The colour with ``share`` in [0, 1] of white."""
    return mixed(colour, (255, 255, 255), share)


class Pen:
    """A pen on a transparent picture, in units, so that one description serves every size.

    Args:
        width: Units across.
        height: Units down.
        unit: Pixels a unit in the finished picture.
    """

    def __init__(self, width: float, height: float, unit: float) -> None:
        self._size = (max(1, round(width * unit)), max(1, round(height * unit)))
        self._unit = unit * SMOOTHING
        self._image = Image.new("RGBA", (self._size[0] * SMOOTHING, self._size[1] * SMOOTHING))
        self._draw = ImageDraw.Draw(self._image)
        self._edge = max(2, round(2.2 * self._unit))

    def finished(self) -> Image.Image:
        """The picture in its own size."""
        return self._image.resize(self._size, Image.Resampling.BOX)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: RGB, *, radius: float = 0, edge: bool = True
    ) -> None:
        """A rectangle, with rounded corners when a radius is given."""
        corners = (left * self._unit, top * self._unit, right * self._unit, bottom * self._unit)
        outline, width = (OUTLINE, self._edge) if edge else (None, 0)
        self._draw.rounded_rectangle(corners, radius * self._unit, fill=fill, outline=outline, width=width)

    def oval(self, left: float, top: float, right: float, bottom: float, fill: RGB, *, edge: bool = True) -> None:
        """An ellipse in a rectangle."""
        corners = (left * self._unit, top * self._unit, right * self._unit, bottom * self._unit)
        outline, width = (OUTLINE, self._edge) if edge else (None, 0)
        self._draw.ellipse(corners, fill=fill, outline=outline, width=width)

    def shape(self, *points: tuple[float, float], fill: RGB, edge: bool = True) -> None:
        """A polygon."""
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.polygon(scaled, fill=fill)
        if edge:
            self._draw.line([*scaled, scaled[0], scaled[1]], fill=OUTLINE, width=self._edge, joint="curve")

    def line(self, *points: tuple[float, float], fill: RGB = OUTLINE, width: float = 3) -> None:
        """A line through points."""
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(scaled, fill=fill, width=max(1, round(width * self._unit)), joint="curve")

    def arc(
        self,
        centre: tuple[float, float],
        radius: float,
        start: float,
        end: float,
        *,
        fill: RGB = OUTLINE,
        width: float = 3,
    ) -> None:
        """Part of a circle's edge, in degrees clockwise from three o'clock."""
        left, top, right, bottom = (value * self._unit for value in self._square(centre, radius))
        self._draw.arc((left, top, right, bottom), start, end, fill=fill, width=max(1, round(width * self._unit)))

    def spots(self, *centres: tuple[float, float], radius: float, fill: RGB) -> None:
        """Discs without an edge."""
        for centre in centres:
            self.oval(*self._square(centre, radius), fill=fill, edge=False)

    def star(self, centre: tuple[float, float], radius: float, rays: int, fill: RGB, *, inner: float = 0.5) -> None:
        """A star, or a regular polygon when ``inner`` is the cosine of half its angle."""
        lengths = [radius if number % 2 == 0 else radius * inner for number in range(2 * rays)]
        angles = [math.pi * number / rays for number in range(2 * rays)]
        x, y = centre
        self.shape(
            *((x + r * math.sin(a), y - r * math.cos(a)) for r, a in zip(lengths, angles, strict=True)), fill=fill
        )

    @staticmethod
    def _square(centre: tuple[float, float], radius: float) -> tuple[float, float, float, float]:
        x, y = centre
        return x - radius, y - radius, x + radius, y + radius
