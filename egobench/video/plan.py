"""Which frames a clip shows, and which packets must be decoded for them: each at most once, and none in vain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from egobench.errors import DamagedVideoError, ShortVideoError
from egobench.video.clips import ClipRequest
from egobench.video.index import VideoIndex


@dataclass(frozen=True, slots=True)
class DecodeSpan:
    """Packets to be decoded in one go: from a key packet on, as a rule within its group of pictures.

    Attributes:
        key: Position of the first packet.
        packets: Positions of all of them, ascending; a packet that nothing refers to is among them only as a target.
        targets: Number of the displayed frame, by position, for each frame that is to be returned.
    """

    key: int
    packets: tuple[int, ...]
    targets: dict[int, int]


class Timeline(Protocol):
    """Length and display times of a video: all that decides which frames a clip shows."""

    @property
    def duration(self) -> float:
        """Length in seconds; greater than :attr:`intact_until` for a file that ends before its header says."""
        ...

    @property
    def intact_until(self) -> float:
        """Seconds up to which every frame is there."""
        ...

    @property
    def times(self) -> Sequence[float]:
        """Seconds of each displayed frame from the first one, ascending."""
        ...


def frames_of_clip(timeline: Timeline, request: ClipRequest) -> tuple[int, ...]:
    """Return the numbers of the displayed frames that a clip shows.

    Raises:
        ShortVideoError: If the file ends before the clip starts.
        DamagedVideoError: If the file is cut off before the clip ends.
    """
    if request.start >= timeline.duration:
        raise ShortVideoError(
            f"{request.path}: clip {request.key!r} starts at {request.start:g} s, but the video ends at "
            f"{timeline.duration:.3f} s; check that the annotations belong to this video"
        )
    moments = request.rule.moments(request.start, request.end, timeline.duration)
    if timeline.intact_until < timeline.duration and moments[-1] >= timeline.intact_until:
        raise DamagedVideoError(
            f"{request.path}: clip {request.key!r} needs the frame at {moments[-1]:.3f} s, but the file is cut off at "
            f"{timeline.intact_until:.3f} s of {timeline.duration:.3f} s; download it again"
        )
    return request.rule.frames(request.start, request.end, timeline.duration, timeline.times)


def plan_spans(index: VideoIndex, targets: Iterable[int]) -> list[DecodeSpan]:
    """Return the spans that contain the target frames, in order.

    Args:
        index: A file that can be sought exactly.
        targets: Numbers of displayed frames.
    """
    numbers = np.unique(np.fromiter(targets, np.int64))
    if not len(numbers):
        return []
    positions = index.order[numbers]
    keys = np.flatnonzero(index.key)
    group = np.searchsorted(keys, positions, side="right") - 1
    # In an open group of pictures the frames shown before its key refer to the group before.
    leading = (index.pts[keys[group]] > index.pts[positions]) & (group > 0)
    while leading.any():
        group = np.where(leading, group - 1, group)
        leading = (index.pts[keys[group]] > index.pts[positions]) & (group > 0)
    members_of_key: list[tuple[int, list[int]]] = []
    for group_number in np.unique(group).tolist():
        key, members = int(keys[group_number]), np.flatnonzero(group == group_number).tolist()
        if members_of_key and key <= max(int(positions[member]) for member in members_of_key[-1][1]):
            members_of_key[-1][1].extend(members)
        else:
            members_of_key.append((key, members))
    return [_span(index, key, numbers[members], positions[members]) for key, members in members_of_key]


def _span(index: VideoIndex, key: int, numbers: np.ndarray, positions: np.ndarray) -> DecodeSpan:
    required = ~index.droppable[key : int(positions.max()) + 1]
    required[positions - key] = True
    targets = dict(zip(positions.tolist(), numbers.tolist(), strict=True))
    return DecodeSpan(key, tuple((np.flatnonzero(required) + key).tolist()), targets)


def count_packets_to_decode(index: VideoIndex, targets: Iterable[int]) -> int:
    """Count the packets that must be decoded for the target frames.

    Args:
        index: The file.
        targets: Numbers of displayed frames.
    """
    numbers = list(targets)
    if index.seekable:
        return sum(len(span.packets) for span in plan_spans(index, numbers))
    return int(index.order[numbers].max()) + 1 if numbers else 0
