"""How many tokens the connector makes of a clip: arithmetic alone."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["stc_connector", "stc_connector_v35"]
"""``mm_projector_type`` of VideoLLaMA2 and of 2.1. The second does not pad before it joins."""

JOINED = 2
"""Frames, rows and columns that become one."""


class TokenGrid(NamedTuple):
    """The tokens of one clip: ``steps`` in time, each a square of ``side`` x ``side``."""

    steps: int
    side: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.steps * self.side**2


def token_grid(frames: int, side: int, kind: Kind) -> TokenGrid:
    """The tokens of one clip by their place.

    Args:
        frames: Its frames.
        side: Patches in a row of a frame.
        kind: Which release's connector.
    """
    if kind == "stc_connector":
        return TokenGrid(frames // JOINED + 1, side // JOINED + 1)
    return TokenGrid(-(-frames // JOINED), side // JOINED)
