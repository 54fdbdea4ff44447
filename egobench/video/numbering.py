"""Numbers of frames that are decoded from a file's beginning: by their time stamps, or by the order of output."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np
from av.video.frame import VideoFrame

from egobench.video.index import VideoIndex

MOST_WAITING: Final = 32
"""Frames that wait for a packet before a frame of it is given up; H.264 and HEVC reorder 16 at most."""


class NumberedFrame(NamedTuple):
    """A decoded frame and its number in display order.

    Attributes:
        number: The number, from 0.
        frame: The frame.
        intact: Whether it was decoded without damage.
    """

    number: int
    frame: VideoFrame
    intact: bool


class _WaitingFrame(NamedTuple):
    position: int
    output_number: int
    frame: VideoFrame
    intact: bool


class FrameNumbering:
    """Numbers the frames that come out of a decoder, each once nothing that is still to come can change its number.

    A frame is held back until every packet before it, in decoding order, has come out as a frame. By then a time stamp
    that is not in order on output has shown itself, and a frame that was lost has too.

    Args:
        index: The file, whose packets are decoded from its beginning without a gap.

    Attributes:
        uncertain: Whether numbers are lost: a frame never came out and there are no time stamps to count on.
    """

    def __init__(self, index: VideoIndex) -> None:
        self.uncertain = False
        self._hidden = index.hidden
        self._ranks = np.full(len(index.pts), -1, np.int64)
        self._ranks[index.order] = np.arange(len(index.order))
        self._by_stamp = index.stamped
        self._count = self._next_number = 0
        self._last_rank = -1
        self._pending: deque[int] = deque()
        self._decoded: set[int] = set()
        self._waiting: deque[_WaitingFrame] = deque()

    def feed(self, position: int) -> None:
        """Note that a packet goes to the decoder."""
        if not self._hidden[position]:
            self._pending.append(position)

    def receive(self, position: int, frame: VideoFrame, *, intact: bool) -> list[NumberedFrame]:
        """Note a frame that the decoder puts out.

        Args:
            position: Position of its packet.
            frame: The frame.
            intact: Whether it was decoded without damage.

        Returns:
            Frames whose numbers are certain now, in display order.
        """
        if self._hidden[position] or self.uncertain:
            return []
        self._waiting.append(_WaitingFrame(position, self._count, frame, intact))
        self._count += 1
        self._decoded.add(position)
        rank = int(self._ranks[position])
        if self._by_stamp and rank < self._last_rank:
            # Not display times: from now on frames are counted, if stamps and count have agreed until now.
            self._by_stamp = False
            self.uncertain = self._waiting[0].output_number != self._next_number
        self._last_rank = rank
        self._skip_decoded()
        if len(self._waiting) > MOST_WAITING:
            self._pending.popleft()
            self.uncertain = not self._by_stamp
            self._skip_decoded()
        return self._release()

    def release_rest(self) -> list[NumberedFrame]:
        """Return the frames that are still held back when the file is over, unless their numbers are uncertain."""
        if self._by_stamp:
            self._pending.clear()
        return self._release()

    def _skip_decoded(self) -> None:
        while self._pending and self._pending[0] in self._decoded:
            self._decoded.discard(self._pending.popleft())

    def _release(self) -> list[NumberedFrame]:
        released: list[NumberedFrame] = []
        while self._waiting and not self.uncertain:
            waiting = self._waiting[0]
            if self._pending and waiting.position > self._pending[0]:
                break
            self._waiting.popleft()
            number = int(self._ranks[waiting.position]) if self._by_stamp else waiting.output_number
            self._next_number = number + 1
            released.append(NumberedFrame(number, waiting.frame, waiting.intact))
        return released
