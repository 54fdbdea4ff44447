"""How long a narration's clip is: Eq. 1 of arXiv 2503.09143, section 3.1.

A narration has one timestamp. Its clip reaches ``beta / (2 alpha)`` seconds to both sides of it, but not past the
narrations before and after it: ``beta`` is the mean gap between the narrations of one video, ``alpha`` the mean of
``beta`` over all videos. So clips last about a second, less where narrations come thick and fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ClipBounds(NamedTuple):
    """Where a clip starts and ends, in seconds."""

    start: float
    end: float


def mean_gap(timestamps: Sequence[float]) -> float | None:
    """Beta of one video: the mean time between neighbouring narrations, in seconds.

    Args:
        timestamps: Seconds, in order, shape ``(n,)``.

    Returns:
        ``None`` for fewer than two narrations.
    """
    if len(timestamps) < 2:
        return None
    return (timestamps[-1] - timestamps[0]) / (len(timestamps) - 1)


def half_width(beta: float | None, alpha: float | None) -> float:
    """How far a clip reaches to either side at most, in seconds.

    A lone narration has no beta and gets that of the mean video, ``alpha``: half a second. So does every narration
    where alpha is 0 or unknown, as all narrations of all videos are then alone or at one moment.
    """
    return beta / (2 * alpha) if beta is not None and alpha else 0.5


def clip_bounds(timestamps: Sequence[float], half: float, duration: float) -> list[ClipBounds]:
    """The clips of the narrations of one video, by Eq. 1.

    Args:
        timestamps: Seconds, in order, each in [0, ``duration``], shape ``(n,)``.
        half: How far a clip reaches to either side at most, in seconds.
        duration: Seconds of the video; beside the first and the last narration its beginning and end are the bounds.

    Returns:
        Bounds with ``start <= timestamp <= end``, shape ``(n,)``; a clip between two narrations of the very same moment
        has no length.
    """
    earlier, later = [0.0, *timestamps[:-1]], [*timestamps[1:], duration]
    return [
        ClipBounds(max(time - half, before), min(time + half, after))
        for time, before, after in zip(timestamps, earlier, later, strict=True)
    ]
