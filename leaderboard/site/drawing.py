"""The shapes of the site's charts: SVG whose colours are the style sheet's, so that dark pages have dark charts."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from egobench.printable import printable


def svg(
    shapes: Iterable[Markup],
    *,
    width: float,
    height: float,
    label: str,
    role: str = "img",
    left: float = 0,
    kind: str = "",
) -> Markup:
    """A chart.

    Args:
        shapes: From back to front.
        width: Units of the drawing; pixels where there is room.
        height: Units.
        label: What the chart shows, for who does not see it.
        role: ``"img"``, or ``"group"`` where it holds links.
        left: Units at the left that hold nothing and are cut off.
        kind: ``"roomy"`` where it is shown if there is room for it, ``"narrow"`` where it is shown if there is none.
    """
    body = Markup("").join(shapes)
    return Markup(
        '<svg class="{}" viewBox="{:g} 0 {:g} {:g}" width="{:g}" height="{:g}" role="{}" aria-label="{}">{}</svg>'
    ).format(f"chart {kind}".strip(), left, width - left, height, width - left, height, role, printable(label), body)


def label(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start") -> Markup:
    """A text; ``anchor`` is ``"start"``, ``"middle"`` or ``"end"``."""
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>').format(
        x, y, kind, anchor, printable(words)
    )


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str) -> Markup:
    """A straight line."""
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>').format(x1, y1, x2, y2, kind)


def mark(x: float, y: float, title: str, *, kind: str = "dot", radius: float = 4.5) -> Markup:
    """A dot that says what it is where the pointer rests on it."""
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:g}" class="{}"><title>{}</title></circle>').format(
        x, y, radius, kind, printable(title)
    )


def polygon(points: Iterable[tuple[float, float]], *, kind: str, title: str) -> Markup:
    """A closed line."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polygon points="{}" class="{}"><title>{}</title></polygon>').format(corners, kind, printable(title))


def link(target: str, shape: Markup) -> Markup:
    """A shape that leads to a page."""
    return Markup('<a href="{}">{}</a>').format(target, shape)


def shortened(words: str, most: int) -> str:
    """A text of at most so many characters."""
    return words if len(words) <= most else words[: most - 1] + "…"
