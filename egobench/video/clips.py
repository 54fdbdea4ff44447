"""Requests for clips of a video, and the clips that come back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from egobench.errors import VideoError
from egobench.video.receipts import Receipt
from egobench.video.sampling import FrameRule

if TYPE_CHECKING:
    import numpy as np


CLIP_SECONDS: Final = 600.0
"""Seconds that a clip may take to be decoded, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """A request for the frames of a clip.

    Attributes:
        key: The name under which the clip comes back.
        path: The file.
        start: Seconds from the first displayed frame; negative means 0.
        end: Seconds from the first displayed frame; ``None`` or beyond the file means the end of the file.
        rule: How many frames, which, and how large.

    Raises:
        ValueError: If a time is not finite.
    """

    key: str
    path: Path
    start: float
    end: float | None
    rule: FrameRule

    def __post_init__(self) -> None:
        """Refuse times that no video can have."""
        if not math.isfinite(self.start) or not math.isfinite(self.end or 0.0):
            raise ValueError(f"clip {self.key!r}: from {self.start} to {self.end} seconds; expected finite numbers")


@dataclass(frozen=True, slots=True, eq=False)
class DecodedClip:
    """The frames of a clip.

    Attributes:
        key: The key of the request.
        frames: uint8 RGB ``(n_frames, height, width, 3)``, upright.
        times: Display times in seconds from the first displayed frame, float64 ``(n_frames,)``.
        receipt: The proof of which frames these are.
    """

    key: str
    frames: np.ndarray
    times: np.ndarray
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class FailedClip:
    """A clip whose frames cannot be decoded.

    Attributes:
        key: The key of the request.
        error: Why not.
    """

    key: str
    error: VideoError
