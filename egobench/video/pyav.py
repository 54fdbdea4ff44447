"""The default decoder: PyAV, driven by a plan over the file's index."""

# PyAV has half of its types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
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
from av.video.stream import VideoStream

from egobench.errors import DamagedVideoError, UnsupportedVideoError
from egobench.video.colour import RgbConverter
from egobench.video.damage import NEVER, DamageTracker, ReleasedFrame
from egobench.video.frame_reader import DecodedFrame
from egobench.video.index import NO_TIME, build_index, main_stream, open_container
from egobench.video.nal import length_prefix_size
from egobench.video.numbering import FrameNumbering, NumberedFrame
from egobench.video.orientation import DisplayMatrices, display_matrix_of
from egobench.video.picture import picture_format
from egobench.video.plan import DecodeSpan, plan_spans
from egobench.video.sampling import Size, square_pixel_size


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
        self._converter = RgbConverter()
        self._matrices = DisplayMatrices()
        self._may_be_turned = True
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

    @cached_property
    def _first_matrix(self) -> bytes | None:
        """The display matrix of the first frame, where it comes with that frame alone."""
        return picture_format(self._path).display_matrix if self.index.turned_by_message else None

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
        self._matrices = DisplayMatrices(self._first_matrix)
        failure: FFmpegError | None = None
        try:
            for position, packet in self._packets(span):
                self.decode_count += 1
                tracker.feed(position)
                for frame in self._decode_packet(packet, tracker):
                    self._note_matrix(frame)
                    yield from self._take_targets(tracker.receive(frame.pts, frame), targets)
                if stop.is_set():
                    return
                if tracker.damaged_from <= position:
                    break
            for frame in context.decode(None) if targets else ():
                self._note_matrix(frame)
                yield from self._take_targets(tracker.receive(frame.pts, frame), targets)
        except FFmpegError as error:
            failure = error
        finally:
            context.flush_buffers()
        yield from self._take_targets(tracker.release_rest(), targets)
        if failure is not None or tracker.damaged_from != NEVER:
            yield from (self._damaged(number, failure) for number in targets.values())
        else:
            missed.extend(targets.values())

    def _note_matrix(self, frame: VideoFrame) -> None:
        """Note the display matrix of a frame, unless none of this file's frames has one.

        In H.264 and HEVC matrices come from the container, with every frame, or with messages, which the index knows.
        """
        if self._may_be_turned:
            self._matrices.note(frame)
            codec = self.index.codec
            known = codec in {"h264", "hevc"} and length_prefix_size(codec, self._stream.codec_context.extradata) > 0
            self._may_be_turned = not known or self.index.turned_by_message or display_matrix_of(frame) is not None

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
                packet.pts = position  # comes back with its frame
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
            tracker.mark_damaged(packet.pts or 0)
            return []

    def _take_targets(self, released: Iterable[ReleasedFrame], targets: dict[int, int]) -> Iterator[DecodedFrame]:
        """Convert the frames whose packet is a target's, and strike them off."""
        for position, frame, intact in released:
            number = targets.pop(position, None)
            if number is not None:
                yield self._convert(NumberedFrame(number, frame, intact))

    def _convert(self, numbered: NumberedFrame) -> DecodedFrame:
        number, frame, intact = numbered
        if not intact:
            return self._damaged(number)
        try:
            stored, orientation = self._converter.convert(frame), self._matrices.orientation_of(frame)
        except ValueError as error:
            return DecodedFrame(number, None, UnsupportedVideoError(f"{self._path}: {error}; re-encode the video"))
        size = square_pixel_size(Size(frame.width, frame.height), self.index.pixel_aspect)
        return DecodedFrame(number, orientation.apply(stored), square_size=orientation.apply_to_size(size))

    def _decode_sequentially(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode from the beginning, up to the last target frame."""
        missing = set(numbers)
        with closing(self._numbered_frames()) as numbered_frames:
            try:
                for numbered in numbered_frames:
                    if numbered.number in missing:
                        missing.discard(numbered.number)
                        yield self._convert(numbered)
                    if not missing or stop.is_set():
                        return
            except FFmpegError as error:
                yield from (self._damaged(number, error) for number in sorted(missing))

    def _numbered_frames(self) -> Generator[NumberedFrame, None, None]:
        """Decode every frame in turn; once a frame is damaged, none is intact until the next key frame."""
        container, stream = self._open()
        numbering, intact, position = FrameNumbering(self.index), True, 0
        self._matrices = DisplayMatrices()
        with container:
            for packet in container.demux(stream):
                if packet.size:
                    if position == len(self.index.pts):
                        return
                    numbering.feed(position)
                    packet.pts = position  # comes back with its frame
                    position += 1
                    self.decode_count += 1
                for frame in stream.codec_context.decode(packet):
                    self._matrices.note(frame)
                    intact = (intact or frame.key_frame) and not frame.is_corrupt
                    if frame.pts is not None:
                        yield from numbering.receive(frame.pts, frame, intact=intact)
                if numbering.uncertain:
                    return
            yield from numbering.release_rest()

    def _damaged(self, number: int, failure: FFmpegError | None = None) -> DecodedFrame:
        reason = "the decoder says so" if failure is None else failure.strerror
        error = DamagedVideoError(
            f"{self._path}: damaged on the way to {self.index.times[number]:.3f} s ({reason}); "
            "download the file again and check its size"
        )
        return DecodedFrame(number, None, error)
