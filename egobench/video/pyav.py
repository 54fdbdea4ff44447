"""The default decoder: PyAV, driven by a plan over the file's index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from egobench.errors import DamagedVideoError
from egobench.video.backends import Shot
from egobench.video.index import NO_TIME, build_index, main_stream, open_container
from egobench.video.plan import Run, plan_runs


class PyavReader:
    """One open file.

    A file that can be sought exactly is opened once, and each touched group of pictures is sought and decoded once. Any
    other file is opened a second time and decoded from its beginning up to the last frame that is wanted.

    Attributes:
        decoder: Name and version.
        index: What is in the file.
        opened: Times that the file was opened.
        sought: Seeks made.
        decoded: Packets decoded.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.decoder = f"pyav {av.__version__}"
        self.opened = self.sought = self.decoded = 0
        self._path, self._threads = path, threads
        self._container, self._stream = self._open()
        try:
            self.index = build_index(self._container, self._stream, path)
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file: PyAV holds hundreds of megabytes otherwise, until the garbage collector runs."""
        self._container.close()

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode frames; see :meth:`egobench.video.backends.Reader.shots`."""
        missed: list[int] = []
        if self.index.exact:
            for run in plan_runs(self.index, wanted):
                yield from self._decode_run(run, missed, stop)
        else:
            missed.extend(wanted)
        if missed and not stop.is_set():
            yield from self._decode_all(missed, stop)

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container = open_container(self._path)
        self.opened += 1
        try:
            stream = main_stream(container, self._path)
        except BaseException:
            container.close()
            raise
        stream.codec_context.thread_count = self._threads
        stream.codec_context.thread_type = "AUTO"
        return container, stream

    def _decode_run(self, run: Run, missed: list[int], stop: Event) -> Iterator[Shot]:
        """Decode one run; frames that a seek does not lead to are added to ``missed``."""
        waiting = dict(run.wanted)
        context = self._stream.codec_context
        reached = run.key
        try:
            for position, packet in self._packets(run):
                reached = position
                self.decoded += 1
                for frame in context.decode(packet):
                    yield from self._taken(frame, waiting)
                if stop.is_set():
                    return
            for frame in context.decode(None) if waiting else ():
                yield from self._taken(frame, waiting)
        except FFmpegError as error:
            yield from self._salvaged(waiting, reached)
            yield from (self._lost(number, error) for number in waiting.values())
            waiting.clear()
        finally:
            context.flush_buffers()
        missed.extend(waiting.values())

    def _packets(self, run: Run) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """The packets of a run with their positions; ends early where the file does not follow its index."""
        pts = self.index.pts
        packets = self._seek(run.key)
        needed = iter(run.packets)
        at = next(needed)
        position = -1
        for packet in packets:
            if not packet.size or packet.pts is None:
                return
            if position < 0:
                found = np.flatnonzero(pts == packet.pts)
                if not len(found) or found[0] > run.key:
                    return
                position = int(found[0])
            if pts[position] != packet.pts:
                return
            if position == at:
                yield at, packet
                following = next(needed, None)
                if following is None:
                    return
                at = following
            position += 1

    def _seek(self, key: int) -> Iterator[Packet[VideoStream]]:
        dts = int(self.index.dts[key])
        self._container.seek(int(self.index.pts[key]) if dts == NO_TIME else dts, stream=self._stream, backward=True)
        self.sought += 1
        return self._container.demux(self._stream)

    def _taken(self, frame: VideoFrame, waiting: dict[int, int]) -> Iterator[Shot]:
        """The frame, if its presentation time is one that is wanted."""
        number = waiting.pop(NO_TIME if frame.pts is None else frame.pts, None)
        if number is not None:
            yield Shot(number, upright(frame), frame.is_corrupt)

    def _salvaged(self, waiting: dict[int, int], broken: int) -> Iterator[Shot]:
        """What the decoder still holds of the packets before the one that it could not decode."""
        sound = {int(time) for time in self.index.pts[:broken]}
        try:
            for frame in self._stream.codec_context.decode(None):
                if frame.pts in sound:
                    yield from self._taken(frame, waiting)
        except FFmpegError:
            return

    def _decode_all(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode from the beginning; frames are known by their presentation time, or by counting without one."""
        container, stream = self._open()
        stamped, index = self.index.stamped, self.index
        waiting = {int(index.pts[index.order[number]]) if stamped else number: number for number in wanted}
        shown = 0
        with container:
            try:
                for frame in self._frames(container, stream):
                    if not stamped:
                        frame.pts = shown
                    shown += 1
                    yield from self._taken(frame, waiting)
                    if not waiting or stop.is_set():
                        return
            except FFmpegError as error:
                yield from (self._lost(number, error) for number in waiting.values())

    def _frames(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            self.decoded += bool(packet.size)
            yield from stream.codec_context.decode(packet)

    def _lost(self, number: int, error: FFmpegError) -> Shot:
        problem = DamagedVideoError(
            f"{self._path}: damaged on the way to {self.index.times[number]:.3f} s ({error.strerror}); "
            "download the file again and check its size"
        )
        return Shot(number, None, error=problem)


def upright(frame: VideoFrame) -> np.ndarray:
    """The pixels of a frame, turned as the file asks: uint8 RGB ``(height, width, 3)``."""
    pixels: np.ndarray = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
