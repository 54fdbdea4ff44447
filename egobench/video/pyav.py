"""The default decoder: PyAV, driven by a plan over the file's index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from egobench.errors import DamagedVideoError
from egobench.video.backends import Shot
from egobench.video.index import NO_TIME, build_index, main_stream, open_container
from egobench.video.plan import Run, plan_runs
from egobench.video.trust import NEVER, ScoredSample, Trust


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
        self._reformatter = VideoReformatter()
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
                if stop.is_set():
                    return
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
        context, trust = self._stream.codec_context, Trust(self.index, run.key)
        problem: FFmpegError | None = None
        try:
            for position, packet in self._packets(run):
                self.decoded += 1
                trust.feed(position)
                for frame in self._decoded(packet, trust):
                    yield from self._taken(trust.judge(frame), waiting)
                if stop.is_set():
                    return
                if trust.damaged_from <= position:
                    break
            for frame in context.decode(None) if waiting else ():
                yield from self._taken(trust.judge(frame), waiting)
        except FFmpegError as error:
            problem = error
        finally:
            context.flush_buffers()
        yield from self._taken(trust.rest(), waiting)
        if problem is not None or trust.damaged_from != NEVER:
            yield from (self._lost(number, problem) for number in waiting.values())
        else:
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
            if position == len(pts) or pts[position] != packet.pts:
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

    def _decoded(self, packet: Packet[VideoStream], trust: Trust) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            trust.fail(int(np.flatnonzero(self.index.pts == packet.pts)[0]))
            return []

    def _taken(self, judged: Iterable[ScoredSample], waiting: dict[int, int]) -> Iterator[Shot]:
        """The frames with a presentation time that is wanted."""
        for frame, sound in judged:
            number = waiting.pop(NO_TIME if frame.pts is None else frame.pts, None)
            if number is not None:
                yield Shot(number, upright(frame, self._reformatter)) if sound else self._lost(number)

    def _decode_all(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode from the beginning; frames are known by their presentation time, or by counting without one."""
        container, stream = self._open()
        stamped, index = self.index.stamped, self.index
        waiting = {int(index.pts[index.order[number]]) if stamped else number: number for number in wanted}
        shown, sound = 0, True
        with container:
            try:
                for frame in self._frames(container, stream):
                    if not stamped:
                        frame.pts = shown
                    shown += 1
                    sound = (sound or frame.key_frame) and not frame.is_corrupt
                    yield from self._taken([ScoredSample(frame, sound)], waiting)
                    if not waiting or stop.is_set():
                        return
            except FFmpegError as error:
                yield from (self._lost(number, error) for number in waiting.values())

    def _frames(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            self.decoded += bool(packet.size)
            yield from stream.codec_context.decode(packet)

    def _lost(self, number: int, error: FFmpegError | None = None) -> Shot:
        reason = "the decoder says so" if error is None else error.strerror
        problem = DamagedVideoError(
            f"{self._path}: damaged on the way to {self.index.times[number]:.3f} s ({reason}); "
            "download the file again and check its size"
        )
        return Shot(number, None, problem)


def upright(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """The pixels of a frame, turned as the file asks: uint8 RGB ``(height, width, 3)``.

    Args:
        frame: The frame.
        reformatter: One for many frames: setting it up costs as much as converting a frame.
    """
    pixels: np.ndarray = reformatter.reformat(frame, format="rgb24").to_ndarray()
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
