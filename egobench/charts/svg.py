"""The shapes that charts are made of. SVG is text, so no library is needed."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from egobench.errors import ChartError

INK = "#222222"
"""Colour of texts and axes."""


def text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    """A text.

    Args:
        x: Pixels from the left.
        y: Pixels from the top to the baseline.
        words: Any text; it is escaped.
        anchor: ``"start"``, ``"middle"`` or ``"end"``: which point of the text stands at ``x``.
        weight: ``"normal"`` or ``"bold"``.
    """
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="{INK}">{escape(words)}</text>'


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled rectangle, in pixels from the top left corner."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def dot(x: float, y: float, colour: str) -> str:
    """A filled circle around a point, in pixels from the top left corner."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def line(path: str, *, dashed: bool = False, colour: str = INK) -> str:
    """A line along an SVG path, e.g. ``"M0 10h300"``."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{path}" stroke="{colour}" fill="none"{dashes}/>'


def svg(shapes: Iterable[str], *, width: int, height: int) -> str:
    """A picture on white ground, as SVG.

    Args:
        shapes: From back to front.
        width: Pixels.
        height: Pixels.
    """
    view = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *shapes, "</svg>"]) + "\n"


def write_svg(path: Path, shapes: Iterable[str], *, width: int, height: int) -> None:
    """Write a picture on white ground.

    Args:
        path: The file.
        shapes: From back to front.
        width: Pixels.
        height: Pixels.

    Raises:
        ChartError: If it cannot be written.
    """
    try:
        path.write_text(svg(shapes, width=width, height=height), encoding="utf-8")
    except OSError as error:
        raise ChartError(f"cannot write the picture to {path}: {error.strerror}") from error
