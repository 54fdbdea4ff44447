"""MiniEgo: a generated egocentric and exocentric world in the official file formats."""

from __future__ import annotations

from egobench.miniego.generate import Summary, generate
from egobench.miniego.world.simulate import SizeName

__all__ = ["SizeName", "Summary", "generate"]
