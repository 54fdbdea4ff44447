"""How many clips of a file are read in one pass: as many as keep no more frames in memory than is allowed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from egobench.video.clips import ClipRequest
from egobench.video.index import VideoIndex
from egobench.video.sampling import Size, shrunk_size, square_pixel_size

KEPT_BYTES: Final = 192 << 20
"""Bytes of frames that one pass keeps at most for clips that are still incomplete; a single clip may be larger."""


@dataclass(frozen=True, slots=True, eq=False)
class PlannedClip:
    """A clip and the frames that it shows.

    Attributes:
        request: The clip.
        numbers: Numbers of its frames in order of display; a short clip may show one twice.
    """

    request: ClipRequest
    numbers: tuple[int, ...]


def split_into_passes(
    clips: Sequence[PlannedClip], index: VideoIndex, kept_bytes: int = KEPT_BYTES
) -> list[list[PlannedClip]]:
    """Distribute clips over passes through their file, each of which keeps no more than it may.

    A frame is kept from where it is decoded until the last clip that shows it is complete, once for all clips of the
    same short side. Clips are taken in order of their start and go into the first pass that has room; almost always
    there is one pass alone.

    Args:
        clips: The clips of a file.
        index: The file.
        kept_bytes: Bytes that a pass may keep; a clip that needs more by itself has a pass of its own.
    """
    passes: list[_Pass] = []
    for clip in sorted(clips, key=lambda clip: clip.request.start):
        frame_bytes = _frame_bytes(index, clip.request.rule.short_side)
        if not any(pass_.add(clip, frame_bytes, kept_bytes) for pass_ in passes):
            passes.append(_Pass(np.zeros(len(index.times), np.int64)))
            passes[-1].add(clip, frame_bytes, None)
    return [pass_.clips for pass_ in passes]


def _frame_bytes(index: VideoIndex, short_side: int) -> int:
    size = square_pixel_size(Size(index.width, index.height), index.pixel_aspect)
    width, height = shrunk_size(size, short_side)
    return 3 * width * height


@dataclass(slots=True, eq=False)
class _Pass:
    """Clips that are read together.

    Attributes:
        kept: Bytes that are kept when a frame is decoded, ``(n_frames,)``.
        clips: The clips.
        kept_until: Frame at which a frame is kept no longer, ``(n_frames,)``, by short side; -1 for one that is not.
    """

    kept: np.ndarray
    clips: list[PlannedClip] = field(default_factory=list[PlannedClip])
    kept_until: dict[int, np.ndarray] = field(default_factory=dict[int, np.ndarray])

    def add(self, clip: PlannedClip, frame_bytes: int, kept_bytes: int | None) -> bool:
        """Take in a clip if no more than ``kept_bytes`` would be kept then; whether it was."""
        side = clip.request.rule.short_side
        kept_until = self.kept_until.setdefault(side, np.full(len(self.kept), -1, np.int64))
        numbers = np.unique(clip.numbers)
        first, last = int(numbers[0]), int(numbers[-1])
        starts = np.maximum(numbers, kept_until[numbers] + 1)
        starts = starts[starts <= last]
        added = np.cumsum(np.bincount(starts - first, minlength=last - first + 1)) * frame_bytes
        kept = self.kept[first : last + 1] + added
        if kept_bytes is not None and int(kept.max()) > kept_bytes:
            return False
        self.kept[first : last + 1] = kept
        kept_until[numbers] = np.maximum(kept_until[numbers], last)
        self.clips.append(clip)
        return True
