"""Clips out of many files, decoded by threads that stay a little ahead of whoever consumes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

from egobench.video.clips import ClipRequest, DecodedClip, FailedClip
from egobench.video.reading import read_clips
from egobench.video.resize import ResizeKind


@dataclass(slots=True, eq=False)
class _FileQueue:
    """The clips of one file: those to be read and those that are ready."""

    path: Path
    requests: list[ClipRequest]
    ready: deque[DecodedClip | FailedClip] = field(default_factory=deque[DecodedClip | FailedClip])
    done: bool = False


class ClipStream:
    """Clips of any number of files, as a context manager to iterate over once.

    The order never depends on the number of threads: files in order of their first request, the clips of a file as
    :func:`egobench.video.read_clips` gives them. Each thread opens, reads and closes one file after another. Between
    them they hold at most ``in_flight`` clips that are not consumed yet, and beside those only the frames of clips that
    are still incomplete. Leaving the context stops the threads and closes the files.

    Args:
        requests: The clips.
        decoder: See :func:`egobench.video.read_clips`.
        workers: Threads, at least 1.
        in_flight: Clips that may be ready, at least 1; with several workers a place is kept for the file in turn.
        resize: See :func:`egobench.video.read_clips`.

    Raises:
        ValueError: If ``workers`` or ``in_flight`` is less than 1.
    """

    def __init__(
        self,
        requests: Sequence[ClipRequest],
        *,
        decoder: str = "pyav",
        workers: int = 1,
        in_flight: int = 4,
        resize: ResizeKind = "auto",
    ) -> None:
        if workers < 1 or in_flight < 1:
            raise ValueError(f"workers is {workers} and in_flight is {in_flight}; both must be at least 1")
        files: dict[Path, _FileQueue] = {}
        for request in requests:
            files.setdefault(request.path, _FileQueue(request.path, [])).requests.append(request)
        self._files = list(files.values())
        self._decoder = decoder
        self._resize: ResizeKind = resize
        self._in_flight = in_flight
        self._changed = Condition()
        self._stop = Event()
        self._files_started = self._current_file = self._clips_in_flight = 0
        self._failure: BaseException | None = None
        self._threads = [
            Thread(target=self._decode_files, name=f"egobench-decode-{number}", daemon=True)
            for number in range(min(workers, len(self._files)))
        ]

    def __enter__(self) -> Self:
        """Start decoding."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop decoding; on return no thread runs and no file is open."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def clips_in_flight(self) -> int:
        """Clips that are ready or being finished, at most ``in_flight``."""
        return self._clips_in_flight

    def __iter__(self) -> Iterator[DecodedClip | FailedClip]:
        """Yield every clip once.

        Raises:
            ValueError: If there is no such decoder or way to resize.
        """
        for number, file in enumerate(self._files):
            while (clip := self._next_clip(number, file)) is not None:
                yield clip

    def _next_clip(self, number: int, file: _FileQueue) -> DecodedClip | FailedClip | None:
        with self._changed:
            self._current_file = number
            self._changed.notify_all()
            self._changed.wait_for(lambda: file.ready or file.done or self._failure or self._stop.is_set())
            if self._failure is not None:
                raise self._failure
            if not file.ready:
                return None
            self._clips_in_flight -= 1
            self._changed.notify_all()
            return file.ready.popleft()

    def _decode_files(self) -> None:
        try:
            while (number := self._start_file()) is not None:
                self._read(number)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _start_file(self) -> int | None:
        with self._changed:
            if self._files_started == len(self._files) or self._stop.is_set():
                return None
            self._files_started += 1
            return self._files_started - 1

    def _read(self, number: int) -> None:
        file = self._files[number]
        clips = read_clips(file.path, file.requests, decoder=self._decoder, resize=self._resize, stop=self._stop)
        with closing(clips):
            while self._wait_for_room(number):
                clip = next(clips, None)
                with self._changed:
                    if clip is None:
                        file.done = True
                        self._clips_in_flight -= 1
                        self._changed.notify_all()
                        return
                    file.ready.append(clip)
                    self._changed.notify_all()

    def _wait_for_room(self, number: int) -> bool:
        """Wait until one more clip may be in memory; false when the stream is over."""
        with self._changed:
            # Files that are read ahead leave one place free: they could fill them all and wait for ever.
            self._changed.wait_for(
                lambda: self._stop.is_set() or self._clips_in_flight < self._in_flight - (number != self._current_file)
            )
            if self._stop.is_set():
                return False
            self._clips_in_flight += 1
            return True


def stream_clips(
    requests: Sequence[ClipRequest],
    *,
    decoder: str = "pyav",
    workers: int = 1,
    in_flight: int = 4,
    resize: ResizeKind = "auto",
) -> ClipStream:
    """Return the clips of any number of files, as a context manager to iterate over once; see :class:`ClipStream`.

    Args:
        requests: The clips.
        decoder: See :func:`egobench.video.read_clips`.
        workers: Threads, at least 1.
        in_flight: Clips that the threads may be ahead of the consumer, at least 1.
        resize: See :func:`egobench.video.read_clips`.

    Raises:
        ValueError: If ``workers`` or ``in_flight`` is less than 1.
    """
    return ClipStream(requests, decoder=decoder, workers=workers, in_flight=in_flight, resize=resize)
