"""Sampling of frames from a clip: arithmetic in seconds, without decoding anything.

Second 0 is the first displayed frame of the file. The frame of a moment is the last one whose display time is at or
before it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, NamedTuple

ROUNDING: Final = 1e-6
"""Seconds by which a frame may seem later than its moment, for rounding in floating point."""

STAMP_ROUNDING: Final = 1e-3
"""Seconds by which a container may have rounded a display time: Matroska keeps whole milliseconds."""


@dataclass(frozen=True, slots=True)
class FrameRule:
    """How many frames of a clip are shown, which, and how large.

    Attributes:
        count: Number of frames, at least 1; with ``fps`` the most there may be.
        last: Show ``count - 1`` midpoints and then, last, the frame displayed at the clip's end; nothing after it.
        short_side: Pixels of the shorter side, at least 1; the aspect is kept and nothing is ever enlarged.
        min_seconds: Shorter clips are widened evenly to this length, inside the file; with ``last`` only backwards.
        fps: Frames per second of the clip, more than 0; ``None`` for ``count`` frames whatever its length.

    Raises:
        ValueError: If a number is out of range.
    """

    count: int = 16
    last: bool = False
    short_side: int = 336
    min_seconds: float = 0.5
    fps: float | None = None

    def __post_init__(self) -> None:
        """Refuse rules that show nothing."""
        if self.count < 1 or self.short_side < 1 or self.min_seconds < 0:
            raise ValueError(f"{self}: count and short_side must be at least 1, min_seconds at least 0")
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise ValueError(f"fps is {self.fps:g}; expected a number of frames per second, more than 0")

    def window(self, start: float, end: float | None, duration: float) -> tuple[float, float]:
        """Return the stretch that is sampled: inside the file and, where that is possible, ``min_seconds`` long.

        Args:
            start: Seconds; negative means 0.
            end: Seconds; ``None`` or beyond the file means the end of the file.
            duration: Length of the file in seconds.

        Returns:
            Start and end in seconds, in [0, duration].
        """
        start = min(max(start, 0.0), duration)
        end = duration if end is None else max(min(end, duration), start)
        shortfall = self.min_seconds - (end - start)
        if shortfall <= 0:
            return start, end
        if self.last:
            return max(start - shortfall, 0.0), end
        start = max(min(start - shortfall / 2, duration - self.min_seconds), 0.0)
        return start, min(start + self.min_seconds, duration)

    def moments(self, start: float, end: float | None, duration: float) -> tuple[float, ...]:
        """Return the moments whose frames are shown, in seconds, in order.

        Args:
            start: See :meth:`window`.
            end: See :meth:`window`.
            duration: See :meth:`window`.
        """
        start, end = self.window(start, end, duration)
        parts = self._parts(end - start)
        midpoints = tuple(start + (end - start) * (part + 0.5) / parts for part in range(parts))
        return (*midpoints, end) if self.last else midpoints

    def frames(self, start: float, end: float | None, duration: float, times: Sequence[float]) -> tuple[int, ...]:
        """Return the numbers of the displayed frames that are shown.

        Args:
            start: See :meth:`window`.
            end: See :meth:`window`.
            duration: See :meth:`window`.
            times: Display time of every frame of the file, in seconds, ascending.
        """
        moments = self.moments(start, end, duration)
        # A frame stamped for the end itself may carry a time that its container rounded up.
        slack = [ROUNDING] * (len(moments) - 1) + [STAMP_ROUNDING if self.last else ROUNDING]
        return tuple(
            max(bisect_right(times, moment + extra) - 1, 0) for moment, extra in zip(moments, slack, strict=True)
        )

    def _parts(self, seconds: float) -> int:
        """Number of equal parts whose midpoints are shown."""
        most = self.count - self.last
        if self.fps is None or most < 1:
            return most
        return min(max(round(seconds * self.fps) - self.last, 1), most)


class Size(NamedTuple):
    """Width and height of a picture in pixels."""

    width: int
    height: int


def shrunk_size(size: Size, short_side: int) -> Size:
    """Return a size with its shorter side reduced to ``short_side``; unchanged where it is no longer than that."""
    shorter = min(size)
    if shorter <= short_side:
        return size
    return Size(round(size.width * short_side / shorter), round(size.height * short_side / shorter))


@cache
def square_pixel_size(size: Size, pixel_aspect: Fraction) -> Size:
    """Return the size of a picture once its pixels are square: the height is kept, the width follows the aspect.

    An aspect that differs from 1 by a pixel of the width or height at most makes up for a size that was rounded when
    the video was scaled; its pixels count as square.

    Args:
        size: As stored, before the picture is turned.
        pixel_aspect: Width of a stored pixel over its height, more than 0.
    """
    width, height = size.width * pixel_aspect, size.height / pixel_aspect
    if abs(width - size.width) <= 1 or abs(height - size.height) <= 1:
        return size
    return Size(max(round(width), 1), size.height)
