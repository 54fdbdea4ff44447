"""MiniEgo: a generated egocentric and exocentric world in the official file formats."""

from __future__ import annotations
