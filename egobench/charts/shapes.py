"""The shapes that charts are made of, in pixels from the top left corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

INK = "#1b1d21"
QUIET = "#5b616b"
RULE = "#c9c5ba"
PALE = "#9db8d2"

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#555555")
"""Of series in one picture, in this order: those of Okabe and Ito, which stay apart for who sees no red or no green."""

BLUE, RED = COLOURS[:2]
CHANCE, BLIND, TRAINED = "#767b84", "#b87400", "#b5468b"
"""Of the marks that a score is read against; they stay apart in the same way."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text.

    Attributes:
        x: Where it is anchored.
        y: The baseline.
        words: Any text.
        anchor: Which point of the text stands at ``x``.
        weight: How heavy it is.
        colour: As ``"#rrggbb"``.
    """

    x: float
    y: float
    words: str
    anchor: Literal["start", "middle", "end"] = "start"
    weight: Literal["normal", "bold"] = "normal"
    colour: str = INK


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle.

    Attributes:
        x: Its left side.
        y: Its top.
        width: Pixels.
        height: Pixels.
        colour: As ``"#rrggbb"``.
    """

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle.

    Attributes:
        x: Its centre.
        y: Its centre.
        colour: As ``"#rrggbb"``.
        radius: Pixels.
    """

    x: float
    y: float
    colour: str = BLUE
    radius: float = 4.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line from point to point.

    Attributes:
        points: At least two, ``(x, y)``.
        colour: As ``"#rrggbb"``.
        dashed: Whether it has gaps.
        width: Pixels.
    """

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    dashed: bool = False
    width: float = 1.0


Shape = Text | Bar | Dot | Line
