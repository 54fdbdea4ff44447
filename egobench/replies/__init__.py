"""How a reply is read: which option a model named."""

from egobench.replies.plain_text import normalised
from egobench.replies.reading import Reading, read_reply

__all__ = ["Reading", "normalised", "read_reply"]
