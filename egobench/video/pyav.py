"""The default decoder: PyAV, driven by a plan over the file's index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import NamedTuple, Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from egobench.errors import DamagedVideoError
from egobench.video.damage import NEVER, DamageTracker, ReleasedFrame
from egobench.video.frame_reader import DecodedFrame
from egobench.video.index import NO_TIME, build_index, main_stream, open_container
from egobench.video.plan import DecodeSpan, plan_spans


class _OpenStream(NamedTuple):
    container: InputContainer
    stream: VideoStream


class _PositionedPacket(NamedTuple):
    position: int
    packet: Packet[VideoStream]


class PyavReader:
    """An open file.

    A file that can be sought exactly is opened once, and each touched group of pictures is sought and decoded once. Any
    other file is opened a second time and decoded from its beginning up to the last target frame.

    Attributes:
        decoder: Name and version.
        index: The packets and display times of the file.
        open_count: Times that the file was opened.
        seek_count: Seeks made.
        decode_count: Packets decoded.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.decoder = f"pyav {av.__version__}"
        self.open_count = self.seek_count = self.decode_count = 0
        self._path, self._threads = path, threads
        self._reformatter = VideoReformatter()
        self._container, self._stream = self._open()
        try:
            self.index = build_index(self._container, self._stream, path)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file: PyAV holds hundreds of megabytes otherwise, until the garbage collector runs."""
        self._container.close()

    def frames(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode frames; see :meth:`egobench.video.frame_reader.FrameReader.frames`."""
        missed: list[int] = []
        if self.index.seekable:
            for span in plan_spans(self.index, numbers):
                if stop.is_set():
                    return
                yield from self._decode_span(span, missed, stop)
        else:
            missed.extend(numbers)
        if missed and not stop.is_set():
            yield from self._decode_sequentially(missed, stop)

    def _open(self) -> _OpenStream:
        container = open_container(self._path)
        self.open_count += 1
        try:
            stream = main_stream(container, self._path)
        except BaseException:
            container.close()
            raise
        stream.codec_context.thread_count = self._threads
        stream.codec_context.thread_type = "AUTO"
        return _OpenStream(container, stream)

    def _decode_span(self, span: DecodeSpan, missed: list[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode the target frames of a span; those that the seek does not lead to are added to ``missed``."""
        targets = dict(span.targets)
        context, tracker = self._stream.codec_context, DamageTracker(self.index, span.key)
        failure: FFmpegError | None = None
        try:
            for position, packet in self._packets(span):
                self.decode_count += 1
                tracker.feed(position)
                for frame in self._decode_packet(packet, tracker):
                    yield from self._take_targets(tracker.receive(frame), targets)
                if stop.is_set():
                    return
                if tracker.damaged_from <= position:
                    break
            for frame in context.decode(None) if targets else ():
                yield from self._take_targets(tracker.receive(frame), targets)
        except FFmpegError as error:
            failure = error
        finally:
            context.flush_buffers()
        yield from self._take_targets(tracker.release_rest(), targets)
        if failure is not None or tracker.damaged_from != NEVER:
            yield from (self._damaged(number, failure) for number in targets.values())
        else:
            missed.extend(targets.values())

    def _packets(self, span: DecodeSpan) -> Iterator[_PositionedPacket]:
        """Demux the packets of a span; ends early where the file does not follow its index."""
        pts = self.index.pts
        packets = self._seek(span.key)
        required = iter(span.packets)
        next_position = next(required)
        position = -1
        for packet in packets:
            if not packet.size or packet.pts is None:
                return
            if position < 0:
                matches = np.flatnonzero(pts == packet.pts)
                if not len(matches) or matches[0] > span.key:
                    return
                position = int(matches[0])
            if position == len(pts) or pts[position] != packet.pts:
                return
            if position == next_position:
                yield _PositionedPacket(position, packet)
                following = next(required, None)
                if following is None:
                    return
                next_position = following
            position += 1

    def _seek(self, key: int) -> Iterator[Packet[VideoStream]]:
        dts = int(self.index.dts[key])
        self._container.seek(int(self.index.pts[key]) if dts == NO_TIME else dts, stream=self._stream, backward=True)
        self.seek_count += 1
        return self._container.demux(self._stream)

    def _decode_packet(self, packet: Packet[VideoStream], tracker: DamageTracker) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            tracker.mark_damaged(int(np.flatnonzero(self.index.pts == packet.pts)[0]))
            return []

    def _take_targets(self, released: Iterable[ReleasedFrame], targets: dict[int, int]) -> Iterator[DecodedFrame]:
        """Convert the frames whose presentation time is a target's, and strike them off."""
        for frame, intact in released:
            number = targets.pop(NO_TIME if frame.pts is None else frame.pts, None)
            if number is not None:
                pixels = upright_pixels(frame, self._reformatter) if intact else None
                yield self._damaged(number) if pixels is None else DecodedFrame(number, pixels)

    def _decode_sequentially(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode from the beginning; frames are identified by their presentation time, or by counting without one."""
        container, stream = self._open()
        stamped, index = self.index.stamped, self.index
        targets = {int(index.pts[index.order[number]]) if stamped else number: number for number in numbers}
        count, intact = 0, True
        with container:
            try:
                for frame in self._all_frames(container, stream):
                    if not stamped:
                        frame.pts = count
                    count += 1
                    intact = (intact or frame.key_frame) and not frame.is_corrupt
                    yield from self._take_targets([ReleasedFrame(frame, intact)], targets)
                    if not targets or stop.is_set():
                        return
            except FFmpegError as error:
                yield from (self._damaged(number, error) for number in targets.values())

    def _all_frames(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            self.decode_count += bool(packet.size)
            yield from stream.codec_context.decode(packet)

    def _damaged(self, number: int, failure: FFmpegError | None = None) -> DecodedFrame:
        reason = "the decoder says so" if failure is None else failure.strerror
        error = DamagedVideoError(
            f"{self._path}: damaged on the way to {self.index.times[number]:.3f} s ({reason}); "
            "download the file again and check its size"
        )
        return DecodedFrame(number, None, error)


def upright_pixels(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """Return the pixels of a frame, turned as the file says: uint8 RGB ``(height, width, 3)``.

    Args:
        frame: The frame.
        reformatter: Shared by many frames: setting it up costs as much as converting a frame.
    """
    pixels: np.ndarray = reformatter.reformat(frame, format="rgb24").to_ndarray()
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels
