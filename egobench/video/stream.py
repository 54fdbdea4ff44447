"""Clips out of many files, decoded by threads that stay a little ahead of whoever consumes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Final, Protocol, Self

from egobench.errors import StuckVideoError
from egobench.video.clips import CLIP_SECONDS, ClipRequest, DecodedClip, FailedClip
from egobench.video.reading import read_clips
from egobench.video.resize import ResizeKind

LAST_SECONDS: Final = 10.0
"""Seconds that decoding threads are waited for at the end: one that is stuck never ends."""

POLL_SECONDS: Final = 0.5
"""Length of a single wait, after which is looked whether a clip takes too long."""


class ClipReader(Protocol):
    """Reads clips out of one file, as :func:`egobench.video.read_clips` does."""

    def __call__(
        self, path: Path, requests: Sequence[ClipRequest], *, stop: Event
    ) -> Generator[DecodedClip | FailedClip, None, None]:
        """Read clips.

        Args:
            path: The file.
            requests: The clips; all of this file.
            stop: Ends the reading early once it is set.

        Yields:
            Each clip once.
        """
        ...


@dataclass(slots=True, eq=False)
class _FileQueue:
    """The clips of one file: those to be read and those that are ready.

    Attributes:
        path: The file.
        requests: Its clips.
        ready: Clips that have been read.
        waiting: Keys of those that have not.
        done: Whether nothing will be added to the ready ones.
        since: When the reading of the next clip began; ``None`` while nothing is read.
    """

    path: Path
    requests: Sequence[ClipRequest]
    ready: deque[DecodedClip | FailedClip] = field(default_factory=deque[DecodedClip | FailedClip])
    waiting: set[str] = field(default_factory=set[str])
    done: bool = False
    since: float | None = None


class ClipStream:
    """Clips of any number of files, as a context manager to iterate over once.

    The order never depends on the number of threads: files in the order of the groups, the clips of a file as they are
    read. Each thread opens, reads and closes one file after another, and asks for a file only when it has none. Between
    them they hold at most ``in_flight`` clips that are not consumed yet, and beside those only the frames of clips that
    are still incomplete. Leaving the context stops the threads and closes the files.

    A clip that takes longer than ``timeout`` fails, and so do those of the same file that come after it; the thread,
    which cannot be ended, is left to itself, and another one takes its place.

    Args:
        groups: The clips, in groups of one file each; drawn by the threads, one whenever there is a thread for it.
        read: Reads the clips of a group.
        workers: Threads, at least 1.
        in_flight: Clips that may be ready, at least 1; with several workers a place is kept for the file in turn.
        timeout: Seconds that the reading of a clip may take.

    Raises:
        ValueError: If ``workers`` or ``in_flight`` is less than 1.
    """

    def __init__(
        self,
        groups: Iterable[Sequence[ClipRequest]],
        read: ClipReader,
        *,
        workers: int = 1,
        in_flight: int = 4,
        timeout: float = CLIP_SECONDS,
    ) -> None:
        if workers < 1 or in_flight < 1:
            raise ValueError(f"workers is {workers} and in_flight is {in_flight}; both must be at least 1")
        self._groups, self._read_clips = iter(groups), read
        self._in_flight, self._timeout = in_flight, timeout
        self._drawing = Lock()
        self._changed = Condition()
        self._stop = Event()
        # Files that threads have begun, until they are consumed; the first of them is the one in turn.
        self._files: deque[_FileQueue] = deque()
        self._drawn_all = False
        self._clips_in_flight = 0
        self._failure: BaseException | None = None
        self._threads = [self._new_thread(number) for number in range(workers)]

    def __enter__(self) -> Self:
        """Start decoding."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop decoding; on return no thread runs and no file is open, unless one is stuck."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        until = monotonic() + LAST_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    @property
    def clips_in_flight(self) -> int:
        """Clips that are ready or being finished, at most ``in_flight``."""
        return self._clips_in_flight

    def __iter__(self) -> Iterator[DecodedClip | FailedClip]:
        """Yield every clip once.

        Raises:
            ValueError: If there is no such decoder or way to resize.
        """
        while (file := self._next_file()) is not None:
            while (clip := self._next_clip(file)) is not None:
                yield clip
            with self._changed:
                self._files.popleft()
                self._changed.notify_all()

    def _next_file(self) -> _FileQueue | None:
        with self._changed:
            self._changed.wait_for(lambda: self._files or self._drawn_all or self._failure or self._stop.is_set())
            if self._failure is not None:
                raise self._failure
            return self._files[0] if self._files else None

    def _next_clip(self, file: _FileQueue) -> DecodedClip | FailedClip | None:
        with self._changed:
            while not self._changed.wait_for(
                lambda: file.ready or file.done or self._failure or self._stop.is_set(), POLL_SECONDS
            ):
                if file.since is not None and monotonic() - file.since > self._timeout:
                    self._give_up(file)
            if self._failure is not None:
                raise self._failure
            if not file.ready:
                return None
            self._clips_in_flight -= 1
            self._changed.notify_all()
            return file.ready.popleft()

    def _give_up(self, file: _FileQueue) -> None:
        """Fail the clips of a file that is stuck, and have another thread take over."""
        error = StuckVideoError(
            f"{file.path}: a clip was not decoded within {self._timeout:g} seconds; is the disk reachable, and the "
            "file whole? Download it again, or give clips more time"
        )
        failed = [FailedClip(request.key, error) for request in file.requests if request.key in file.waiting]
        file.ready.extend(failed)
        # One place was that of the clip that never came.
        self._clips_in_flight += len(failed) - 1
        file.done = True
        thread = self._new_thread(len(self._threads))
        self._threads.append(thread)
        thread.start()

    def _new_thread(self, number: int) -> Thread:
        return Thread(target=self._decode_files, name=f"egobench-decode-{number}", daemon=True)

    def _decode_files(self) -> None:
        try:
            while (file := self._start_file()) is not None and self._read(file):
                pass
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _start_file(self) -> _FileQueue | None:
        with self._drawing:
            if self._drawn_all or self._stop.is_set():
                return None
            group = next(self._groups, None)
            with self._changed:
                self._changed.notify_all()
                if group is None:
                    self._drawn_all = True
                    return None
                file = _FileQueue(group[0].path, group, waiting={request.key for request in group})
                self._files.append(file)
                return file

    def _read(self, file: _FileQueue) -> bool:
        """Read the clips of a file; whether this thread is to go on with another."""
        with closing(self._read_clips(file.path, file.requests, stop=self._stop)) as clips:
            while self._wait_for_room(file):
                file.since = monotonic()
                clip = next(clips, None)
                file.since = None
                with self._changed:
                    if file.done:
                        # Given up meanwhile: another thread has taken over.
                        return False
                    self._changed.notify_all()
                    if clip is None:
                        file.done = True
                        self._clips_in_flight -= 1
                        return True
                    file.waiting.discard(clip.key)
                    file.ready.append(clip)
        return False

    def _wait_for_room(self, file: _FileQueue) -> bool:
        """Wait until one more clip may be in memory; false when the stream is over."""
        with self._changed:
            # Files that are read ahead leave one place free: they could fill them all and wait for ever.
            self._changed.wait_for(
                lambda: self._stop.is_set() or self._clips_in_flight < self._in_flight - (file is not self._files[0])
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

    Files come in the order of their first request.

    Args:
        requests: The clips.
        decoder: See :func:`egobench.video.read_clips`.
        workers: Threads that decode, at least 1.
        in_flight: Clips that the threads may be ahead of the consumer, at least 1.
        resize: See :func:`egobench.video.read_clips`.

    Raises:
        ValueError: If ``workers`` or ``in_flight`` is less than 1.
    """
    files: dict[Path, list[ClipRequest]] = {}
    for request in requests:
        files.setdefault(request.path, []).append(request)
    reader = partial(read_clips, decoder=decoder, resize=resize)
    return ClipStream(files.values(), reader, workers=workers, in_flight=in_flight)
