"""Which decoded frames are intact, when the decoder reports damage in some of them."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from av.video.frame import VideoFrame

from egobench.video.index import VideoIndex

NEVER: Final = 1 << 62


class ReleasedFrame(NamedTuple):
    """A decoded frame about whose damage all is known.

    Attributes:
        frame: The frame.
        intact: Whether neither it nor anything that it may refer to was damaged.
    """

    frame: VideoFrame
    intact: bool


class DamageTracker:
    """Holds decoded frames back until it is known whether damage reaches them.

    A decoder flags the picture in which it meets damage and not those that refer to it, which may well be displayed
    earlier. A frame is therefore held back until every packet before it, in decoding order, has come out as a frame. It
    is intact if neither it nor any of those was damaged, except for pictures that nothing refers to.

    Args:
        index: The file.
        key: Position of the span's first packet. Frames displayed before it are not tracked: in an open group of
            pictures they refer to what was decoded before, and another span contains them.

    Attributes:
        damaged_from: Position of the first packet from which on no frame is intact.
    """

    def __init__(self, index: VideoIndex, key: int) -> None:
        self.damaged_from = NEVER
        self._index = index
        self._first_pts = int(index.pts[key])
        self._pending: deque[int] = deque()
        self._position_of_pts: dict[int, int] = {}
        self._decoded: set[int] = set()
        self._waiting: list[tuple[int, VideoFrame]] = []

    def feed(self, position: int) -> None:
        """Note that a packet goes to the decoder."""
        self._position_of_pts[int(self._index.pts[position])] = position
        if not self._index.hidden[position]:
            self._pending.append(position)

    def mark_damaged(self, position: int) -> None:
        """Note that a packet is damaged: nothing from it on is intact."""
        self.damaged_from = min(self.damaged_from, position)

    def receive(self, frame: VideoFrame) -> list[ReleasedFrame]:
        """Note a frame that the decoder puts out.

        Returns:
            Frames about whose damage all is known now, in display order.
        """
        position = self._position_of_pts.get(NEVER if frame.pts is None else frame.pts)
        if position is None:
            return []
        if frame.is_corrupt and not self._index.droppable[position] and (frame.pts or 0) >= self._first_pts:
            self.mark_damaged(position)
        self._decoded.add(position)
        self._waiting.append((position, frame))
        while self._pending and self._pending[0] in self._decoded:
            self._decoded.discard(self._pending.popleft())
        return self._release(self._pending[0] if self._pending else NEVER)

    def release_rest(self) -> list[ReleasedFrame]:
        """Return the frames that are still held back when the span is over, in display order."""
        return self._release(NEVER)

    def _release(self, before: int) -> list[ReleasedFrame]:
        released = [(position, frame) for position, frame in self._waiting if position < before]
        self._waiting = [(position, frame) for position, frame in self._waiting if position >= before]
        released.sort(key=lambda entry: entry[1].pts or 0)
        return [
            ReleasedFrame(frame, not frame.is_corrupt and position < self.damaged_from) for position, frame in released
        ]
