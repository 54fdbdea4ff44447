"""Shapes as PNG, drawn by Pillow with the font that comes with it: no font of the system is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from egobench.charts.shapes import Bar, Dot, Line, Shape, Text
from egobench.printable import printable

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SCALE = 2
"""Pixels of the file for one of the drawing."""

FINE = 2
"""Pixels that are drawn for one of the file, and averaged."""

FONT_SIZE = 12
DASH, GAP = 4.0, 3.0
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def png_picture(shapes: Sequence[Shape], width: int, height: int) -> bytes:
    """A picture on white ground, in twice the resolution of its drawing.

    Args:
        shapes: From back to front.
        width: Pixels of the drawing.
        height: Pixels of the drawing.
    """
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only where a picture is drawn

    scale = SCALE * FINE
    image = Image.new("RGB", (width * scale, height * scale), "#ffffff")
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        _draw(draw, shape, scale)
    file = BytesIO()
    image.resize((width * SCALE, height * SCALE), Image.Resampling.BOX).save(file, "PNG")
    return file.getvalue()


def _draw(draw: ImageDraw, shape: Shape, scale: int) -> None:
    if isinstance(shape, Text):
        _draw_text(draw, shape, scale)
    elif isinstance(shape, Bar):
        left, top = shape.x * scale, shape.y * scale
        right, bottom = left + shape.width * scale - 1, top + shape.height * scale - 1
        if right >= left and bottom >= top:
            draw.rectangle((left, top, right, bottom), fill=shape.colour)
    elif isinstance(shape, Dot):
        x, y, radius = shape.x * scale, shape.y * scale, shape.radius * scale
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shape.colour)
    else:
        for (x1, y1), (x2, y2) in _pieces(shape):
            ends = (x1 * scale, y1 * scale, x2 * scale, y2 * scale)
            draw.line(ends, fill=shape.colour, width=max(1, round(shape.width * scale)))


def _draw_text(draw: ImageDraw, text: Text, scale: int) -> None:
    from PIL import ImageFont  # noqa: PLC0415 - as above

    draw.text(
        (text.x * scale, text.y * scale),
        printable(text.words).replace("\n", " "),
        fill=text.colour,
        font=ImageFont.load_default(FONT_SIZE * scale),
        anchor=ANCHORS[text.anchor],
        stroke_width=scale / 5 if text.weight == "bold" else 0,
    )


def _pieces(line: Line) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The stretches of a line that are drawn: all of it, or its dashes."""
    for (x1, y1), (x2, y2) in zip(line.points, line.points[1:], strict=False):
        length = math.hypot(x2 - x1, y2 - y1)
        if not line.dashed or length == 0:
            yield (x1, y1), (x2, y2)
            continue
        start = 0.0
        while start < length:
            end = min(start + DASH, length)
            yield (
                (x1 + (x2 - x1) * start / length, y1 + (y2 - y1) * start / length),
                (x1 + (x2 - x1) * end / length, y1 + (y2 - y1) * end / length),
            )
            start += DASH + GAP
