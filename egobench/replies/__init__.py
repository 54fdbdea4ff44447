"""How a reply is read: which option a model named."""

from __future__ import annotations

from egobench.replies.plain_text import normalised
from egobench.replies.reading import Reading, read_reply

__all__ = ["Reading", "normalised", "read_reply"]
