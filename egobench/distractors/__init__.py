"""Wrong options for questions that were published without them."""

from __future__ import annotations

from egobench.distractors.nearest import nearest
from egobench.distractors.official import official

__all__ = ["nearest", "official"]
