"""Files that end the process when they are decoded: a run that dies of one twice goes on without it.

A decoder that crashes takes the process with it, and the same command would die of the same file again. So a process
notes in ``.decoding/<writer>`` of the run folder which thread is decoding which file, and has :mod:`faulthandler` write
into ``.decoding/<writer>.crash`` which thread a fatal signal came from. When another process opens the run under the
same name, that thread's file is counted in ``.decoding/deaths.json``; a process that was killed from outside crashed of
no file, and nothing is counted.
"""

from __future__ import annotations

import faulthandler
import json
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, get_ident
from types import TracebackType
from typing import IO, Final, Self

from egobench.errors import JsonInputError, MissingVideoError, UnreadableVideoError
from egobench.json_input import JsonValue, read_json
from egobench.run.checksums import writing
from egobench.run.locks import in_turn
from egobench.video import ClipReader, ClipRequest, DecodedClip, FailedClip
from egobench.video.files import video_status
from egobench.whole_file import replace_file

NOTES: Final = ".decoding"
"""Folder of the notes in a run folder."""

MOST_DEATHS: Final = 2
"""Deaths of a process after which a file is left out."""


class DecodingNotes:
    """Notes which files a process decodes, as a context manager; leaving it, for whatever reason, is no death.

    Args:
        run: The run folder.
        writer: Name under which this process writes; nobody else does at the same time.

    Raises:
        StoreError: If the folder cannot be written.
    """

    def __init__(self, run: Path, writer: str) -> None:
        self._run, self._path, self._deaths_path = run, run / NOTES / writer, run / NOTES / "deaths.json"
        self._crash_path = run / NOTES / f"{writer}.crash"
        self._lock = Lock()
        self._decoding: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Count what a dead process left, and begin."""
        with writing(self._path):
            self._path.parent.mkdir(exist_ok=True)
            names = _deadly(self._path, self._crash_path)
            self._deaths = self._count(names) if names else _read_deaths(self._deaths_path)
            self._file: IO[bytes] = self._path.open("wb", buffering=0)
            self._crash: IO[bytes] = self._crash_path.open("wb", buffering=0)
        self._was_enabled = faulthandler.is_enabled()
        faulthandler.enable(self._crash)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the notes away."""
        faulthandler.disable()
        if self._was_enabled and sys.__stderr__ is not None:
            faulthandler.enable(sys.__stderr__)
        for file, path in ((self._file, self._path), (self._crash, self._crash_path)):
            file.close()
            path.unlink(missing_ok=True)

    def _count(self, names: Iterable[str]) -> dict[str, int]:
        """Count a death of each file; of those that start together, one after the other."""
        with in_turn(self._run, "deaths"):
            deaths = _read_deaths(self._deaths_path)
            deaths |= {name: deaths.get(name, 0) + 1 for name in names}
            replace_file(self._deaths_path, json.dumps(deaths, indent=1) + "\n")
        return deaths

    def watch(self, read: ClipReader) -> ClipReader:
        """Read clips as ``read`` does, but of files that no process has died of twice."""

        def read_watched(
            path: Path, requests: Sequence[ClipRequest], *, stop: Event
        ) -> Generator[DecodedClip | FailedClip, None, None]:
            name = _name(path)
            if self._deaths.get(name, 0) >= MOST_DEATHS:
                error = UnreadableVideoError(
                    f"{path}: the process died {self._deaths[name]} times while it decoded this file, which is left "
                    f"out now; download it again, or delete {self._deaths_path} to have it tried again"
                )
                yield from (FailedClip(request.key, error) for request in requests)
                return
            with closing(read(path, requests, stop=stop)) as clips:
                while (clip := self._next(name, clips)) is not None:
                    yield clip

        return read_watched

    def _next(
        self, name: str, clips: Generator[DecodedClip | FailedClip, None, None]
    ) -> DecodedClip | FailedClip | None:
        self._note(name)
        try:
            return next(clips, None)
        finally:
            self._note(None)

    def _note(self, name: str | None) -> None:
        """Write down what this thread decodes from now on."""
        with self._lock, writing(self._path):
            if name is None:
                del self._decoding[get_ident()]
            else:
                self._decoding[get_ident()] = name
            self._file.seek(0)
            self._file.write(
                json.dumps({f"{thread:x}": file for thread, file in self._decoding.items()}).encode() + b"\n"
            )
            self._file.truncate()


def _name(path: Path) -> str:
    """What a file is known by: another file under its name is another one."""
    try:
        status = video_status(path)
    except (MissingVideoError, UnreadableVideoError):
        return str(path)  # reading it says why
    return f"{path} of {status.st_size} bytes, {status.st_mtime_ns}"


def _deadly(noted: Path, crash: Path) -> set[str]:
    """Files that a process crashed of: that of the thread which crashed, and all of them where it was none of Python's.

    A thread of Python that decodes nothing, such as one that asks a model, crashed of no file.
    """
    try:
        report = crash.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return set()
    content = _read(noted)
    if not report or not isinstance(content, dict):
        return set()
    files = {int(thread, 16): name for thread, name in content.items() if isinstance(name, str)}
    crashed = re.search(r"^Current thread 0x([0-9a-f]+)", report, re.MULTILINE)
    if crashed is None:
        return {*files.values()}
    return {name for thread, name in files.items() if thread == int(crashed[1], 16)}


def _read_deaths(path: Path) -> dict[str, int]:
    content = _read(path)
    counts = content.items() if isinstance(content, dict) else ()
    return {name: count for name, count in counts if isinstance(count, int)}


def _read(path: Path) -> JsonValue:
    try:
        return read_json(path.read_bytes(), str(path))
    except (FileNotFoundError, JsonInputError):
        return None
