"""Shapes as SVG. It is text, so no library is needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from egobench.charts.shapes import Bar, Dot, Line, Shape, Text
from egobench.printable import printable


def svg_picture(shapes: Sequence[Shape], width: int, height: int) -> bytes:
    """A picture on white ground.

    Args:
        shapes: From back to front.
        width: Pixels.
        height: Pixels.
    """
    view = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view}>'
    page = [head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *map(_element, shapes), "</svg>"]
    return ("\n".join(page) + "\n").encode()


def _element(shape: Shape) -> str:
    if isinstance(shape, Text):
        place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}" font-weight="{shape.weight}"'
        return f'<text {place} fill="{shape.colour}">{escape(printable(shape.words))}</text>'
    if isinstance(shape, Bar):
        place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
        return f'<rect {place} fill="{shape.colour}"/>'
    if isinstance(shape, Dot):
        return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}" fill="{shape.colour}"/>'
    return _line(shape)


def _line(line: Line) -> str:
    way = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line.points)
    dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
    return f'<path d="{way}" stroke="{line.colour}" stroke-width="{line.width:g}" fill="none"{dashes}/>'
