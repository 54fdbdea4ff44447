"""How frames are fitted into a square, for whoever has no torch."""

from __future__ import annotations

from typing import Literal

Fit = Literal["crop", "pad", "squeeze"]
"""How a frame becomes a square: its middle, all of it with borders of the mean colour, or all of it squeezed."""
