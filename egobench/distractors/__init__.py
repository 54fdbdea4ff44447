"""Wrong options for questions that were published without them."""

from __future__ import annotations

from egobench.distractors.nearest import nearest
from egobench.distractors.official import official
from egobench.distractors.shared import anywhere, shared_sets

__all__ = ["anywhere", "nearest", "official", "shared_sets"]
