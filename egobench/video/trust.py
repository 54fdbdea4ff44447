"""Which decoded frames may be believed, when the decoder says of some that they are damaged."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from av.video.frame import VideoFrame

from egobench.video.index import VideoIndex

NEVER: Final = 1 << 62


class ScoredSample(NamedTuple):
    """A decoded frame and whether it is to be believed."""

    frame: VideoFrame
    sound: bool


class Trust:
    """Judges the frames of one run of packets.

    A decoder flags the picture in which it meets damage and not those that refer to it, which may well be displayed
    earlier. A frame is therefore held back until every packet before it, in decoding order, has come out as a frame. It
    is sound if neither it nor any of those was damaged, except for pictures that nothing refers to.

    Args:
        index: The file.
        key: Position of the run's first packet. Frames displayed before it are not judged: in an open group of pictures
            they refer to what was decoded before, and another run asks for them.
    """

    def __init__(self, index: VideoIndex, key: int) -> None:
        self._index = index
        self._first = int(index.pts[key])
        self._fed: deque[int] = deque()
        self._position: dict[int, int] = {}
        self._out: set[int] = set()
        self._held: list[tuple[int, VideoFrame]] = []
        self.damaged_from = NEVER
        """Position of the first packet from which on nothing is to be believed."""

    def feed(self, position: int) -> None:
        """A packet goes to the decoder."""
        self._position[int(self._index.pts[position])] = position
        if not self._index.hidden[position]:
            self._fed.append(position)

    def fail(self, position: int) -> None:
        """The decoder refused a packet."""
        self.damaged_from = min(self.damaged_from, position)

    def judge(self, frame: VideoFrame) -> list[ScoredSample]:
        """A frame comes out of the decoder.

        Returns:
            Frames of which all is known now, in order of display.
        """
        position = self._position.get(NEVER if frame.pts is None else frame.pts)
        if position is None:
            return []
        if frame.is_corrupt and not self._index.droppable[position] and (frame.pts or 0) >= self._first:
            self.fail(position)
        self._out.add(position)
        self._held.append((position, frame))
        while self._fed and self._fed[0] in self._out:
            self._out.discard(self._fed.popleft())
        return self._release(self._fed[0] if self._fed else NEVER)

    def rest(self) -> list[ScoredSample]:
        """The frames that are still held when the run is over, in order of display."""
        return self._release(NEVER)

    def _release(self, before: int) -> list[ScoredSample]:
        known = [(position, frame) for position, frame in self._held if position < before]
        self._held = [(position, frame) for position, frame in self._held if position >= before]
        known.sort(key=lambda one: one[1].pts or 0)
        return [ScoredSample(frame, not frame.is_corrupt and position < self.damaged_from) for position, frame in known]
