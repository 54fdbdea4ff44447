"""Which packets must be decoded to get the frames that are wanted: at most once each, and none in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from egobench.video.index import VideoIndex


@dataclass(frozen=True, slots=True)
class Run:
    """Packets to be decoded in one go: from one key packet on, as a rule within its group of pictures.

    Attributes:
        key: Position of the first packet.
        packets: Positions of all of them, ascending; packets that nothing refers to are there only if wanted.
        wanted: Number of the displayed frame, by presentation time, for each frame that is wanted.
    """

    key: int
    packets: tuple[int, ...]
    wanted: dict[int, int]


def plan_runs(index: VideoIndex, wanted: Iterable[int]) -> list[Run]:
    """The runs that give the wanted frames, in order.

    Args:
        index: The file, one that can be sought exactly.
        wanted: Numbers of displayed frames.
    """
    numbers = np.unique(np.fromiter(wanted, np.int64))
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
    spans: list[tuple[int, list[int]]] = []
    for each in np.unique(group).tolist():
        key, members = int(keys[each]), np.flatnonzero(group == each).tolist()
        if spans and key <= max(int(positions[member]) for member in spans[-1][1]):
            spans[-1][1].extend(members)
        else:
            spans.append((key, members))
    return [_run(index, key, numbers[members], positions[members]) for key, members in spans]


def _run(index: VideoIndex, key: int, numbers: np.ndarray, positions: np.ndarray) -> Run:
    needed = ~index.droppable[key : int(positions.max()) + 1]
    needed[positions - key] = True
    wanted = dict(zip(index.pts[positions].tolist(), numbers.tolist(), strict=True))
    return Run(key, tuple((np.flatnonzero(needed) + key).tolist()), wanted)


def frames_to_decode(index: VideoIndex, wanted: Iterable[int]) -> int:
    """How many packets must be decoded for the wanted frames.

    Args:
        index: The file.
        wanted: Numbers of displayed frames.
    """
    wanted = list(wanted)
    if index.exact:
        return sum(len(run.packets) for run in plan_runs(index, wanted))
    return int(index.order[wanted].max()) + 1 if wanted else 0
