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
        position: Position of its packet.
        frame: The frame.
        intact: Whether neither it nor anything that it may refer to was damaged.
    """

    position: int
    frame: VideoFrame
    intact: bool


class DamageTracker:
    """Holds decoded frames back until it is known whether damage reaches them.

    A decoder flags the picture in which it meets damage and not those that refer to it, which may well be displayed
    earlier. A frame is therefore held back until every packet before it, in decoding order, has come out as a frame. It
    is intact if neither it nor any of those was damaged, except for pictures that nothing refers to.

    Frames must come out in display order. Where they do not, the file's time stamps are not display times, and no frame
    is intact from there on.

    Args:
        index: The file.
        key: Position of the span's first packet. Frames displayed before it are not tracked: in an open group of
            pictures they refer to what was decoded before, and another span contains them.

    Attributes:
        damaged_from: Position of the first packet from which on no frame is intact.
        out_of_order: Whether frames came out in another order than that of their time stamps.
    """

    def __init__(self, index: VideoIndex, key: int) -> None:
        self.damaged_from = NEVER
        self.out_of_order = False
        self._index = index
        self._first_pts = int(index.pts[key])
        self._last_pts = -NEVER
        self._fed: set[int] = set()
        self._pending: deque[int] = deque()
        self._decoded: set[int] = set()
        self._waiting: list[ReleasedFrame] = []

    def feed(self, position: int) -> None:
        """Note that a packet goes to the decoder."""
        self._fed.add(position)
        if not self._index.hidden[position]:
            self._pending.append(position)

    def mark_damaged(self, position: int) -> None:
        """Note that a packet is damaged: nothing from it on is intact."""
        self.damaged_from = min(self.damaged_from, position)

    def receive(self, position: int | None, frame: VideoFrame) -> list[ReleasedFrame]:
        """Note a frame that the decoder puts out.

        Args:
            position: Position of its packet, ``None`` if the decoder does not say.
            frame: The frame.

        Returns:
            Frames about whose damage all is known now, in display order.
        """
        if position is None or position not in self._fed:
            return []
        pts = int(self._index.pts[position])
        if frame.is_corrupt and not self._index.droppable[position] and pts >= self._first_pts:
            self.mark_damaged(position)
        if pts < self._last_pts:
            self.out_of_order = True
            self.mark_damaged(0)
        self._last_pts = pts
        self._decoded.add(position)
        self._waiting.append(ReleasedFrame(position, frame, not frame.is_corrupt))
        while self._pending and self._pending[0] in self._decoded:
            self._decoded.discard(self._pending.popleft())
        return self._release(self._pending[0] if self._pending else NEVER)

    def release_rest(self) -> list[ReleasedFrame]:
        """Return the frames that are still held back when the span is over, in display order."""
        return self._release(NEVER)

    def _release(self, before: int) -> list[ReleasedFrame]:
        released = [waiting for waiting in self._waiting if waiting.position < before]
        if not released:
            return released
        self._waiting = [waiting for waiting in self._waiting if waiting.position >= before]
        released.sort(key=lambda waiting: int(self._index.pts[waiting.position]))
        if self.damaged_from == NEVER:
            return released
        return [
            waiting._replace(intact=waiting.intact and waiting.position < self.damaged_from) for waiting in released
        ]
