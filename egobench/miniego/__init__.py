"""MiniEgo: a generated egocentric and exocentric world in the official file formats."""

from __future__ import annotations

from egobench.miniego.generate import Summary, generate

__all__ = ["Summary", "generate"]
