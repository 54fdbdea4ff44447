"""What a frame store is on disk: shards of raw pixels, and beside each of them lines that say what lies where.

A folder holds ``store.json``, and pairs of files ``00000.frames`` and ``00000.jsonl``. The first of a pair is raw
bytes: uint8 RGB ``(height, width, 3)`` per frame, float64 seconds per displayed frame of a video. The second has one
row per line; it is written after the bytes that it speaks of. A pair has one writer at a time, who holds a lock on it
for as long as its process lives; nobody else ever waits for that lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import numpy as np

from egobench.errors import FrameStoreError, FrameStoreVersionError
from egobench.video.frame_store.rows import FRAMES, Row, encode_row, parse_row

VERSION: Final = 2
"""Version of the files; raised whenever an older EgoBench would read them wrongly."""

STORE_FILE: Final = "store.json"
ROWS: Final = ".jsonl"
SHARD_BYTES: Final = 4 << 30
"""Bytes after which a writer goes on in another shard."""

GROUP_BYTES: Final = 64 << 20
"""Bytes of pixels that are put on disk, and then their rows, in one go: what a killed process may lose."""


def check_version(folder: Path) -> bool:
    """Tell whether a folder holds a frame store; none is there before the first frame is written.

    Raises:
        FrameStoreVersionError: If it holds one of another version, or shards and no word of their version.
        FrameStoreError: If it cannot be read.
    """
    file = folder / STORE_FILE
    try:
        content: Any = json.loads(file.read_bytes())
    except FileNotFoundError:
        if next(folder.glob(f"*{FRAMES}"), None) is None:
            return False
        if file.exists():  # Written before any shard, by a process that began the store between the two looks.
            return check_version(folder)
        raise FrameStoreVersionError(
            f"{folder}: holds shards of frames, but no {STORE_FILE} that says of which version; put the file back "
            "from where the folder was copied, or use another folder"
        ) from None
    except NotADirectoryError as error:
        raise FrameStoreError(f"{folder}: is a file; expected the folder of a frame store, or a new one") from error
    except OSError as error:
        raise FrameStoreError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise FrameStoreVersionError(
            f"{file}: damaged ({error}); expected {json.dumps(_store_content())}; nothing was changed"
        ) from error
    if content != _store_content():
        version = content.get("version") if isinstance(content, dict) else content  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        raise FrameStoreVersionError(
            f"{folder}: a frame store of version {version!r:.40}; this EgoBench reads version {VERSION}; nothing was "
            "changed; use another folder, or the EgoBench that wrote it"
        )
    return True


def _store_content() -> dict[str, Any]:
    return {"content": "egobench frame store", "version": VERSION}


class ShardWriter:
    """Appends to shards of its own, as a context manager; the first one is opened when something is written.

    A shard that another process left behind is cut back to its last complete row and goes on to be filled.

    Args:
        folder: The frame store; made where it is not there.
        shard_bytes: Bytes after which another shard is begun.

    Raises:
        FrameStoreError: On use, if a file cannot be written; what was written before is kept.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._frames = self._rows = -1
        self._offset = self._unsafe_bytes = 0
        self._pending: list[Row] = []
        self.path = Path()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything on disk and release the shard."""
        self.close()

    def next_offset(self) -> int:
        """Return where the next bytes go, in the shard :attr:`path`; may begin another shard."""
        with _writing(self._folder):
            if self._frames >= 0 and self._offset >= self._shard_bytes:
                self.close()
            if self._frames < 0:
                _make_store(self._folder)
                self._open_shard()
        return self._offset

    def append(self, row: Row, parts: Sequence[np.ndarray] = ()) -> None:
        """Write bytes at :meth:`next_offset`, and remember the row that speaks of them.

        Args:
            row: The row.
            parts: Contiguous arrays.
        """
        start = self.next_offset()
        with _writing(self.path):
            try:
                for part in parts:
                    self._write(part.data.cast("B"))
            except OSError:
                os.ftruncate(self._frames, start)
                self._offset = start
                raise
        self._pending.append(row)
        self._unsafe_bytes += self._offset - start
        if self._unsafe_bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Put the bytes on disk, and then the rows."""
        if not self._pending:
            return
        lines = b"".join(map(encode_row, self._pending))
        with _writing(self.path):
            os.fsync(self._frames)
            end = os.fstat(self._rows).st_size
            try:
                _write_all(self._rows, memoryview(lines), end)
            except OSError:
                os.ftruncate(self._rows, end)
                raise
            os.fsync(self._rows)
        self._pending.clear()
        self._unsafe_bytes = 0

    def close(self) -> None:
        """Put everything on disk and release the shard."""
        if self._frames < 0:
            return
        try:
            self.flush()
        finally:
            os.close(self._rows)
            os.close(self._frames)
            self._frames = self._rows = -1

    def _write(self, data: memoryview) -> None:
        _write_all(self._frames, data, self._offset)
        self._offset += len(data)

    def _open_shard(self) -> None:
        """Open the first shard that nobody writes to, that is whole, and that has room."""
        for number in count():
            path = self._folder / f"{number:05d}{FRAMES}"
            frames = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if self._adopt(frames, path):
                return
            os.close(frames)

    def _adopt(self, frames: int, path: Path) -> bool:
        try:
            fcntl.flock(frames, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(frames).st_size >= self._shard_bytes:
            return False
        rows = os.open(path.with_suffix(ROWS), os.O_RDWR | os.O_CREAT, 0o644)
        lines = path.with_suffix(ROWS).read_bytes()
        complete = lines.rfind(b"\n") + 1
        end = max((parse_row(line, path.with_suffix(ROWS)).end for line in lines[:complete].splitlines()), default=0)
        # Rows of bytes that are not there would speak of whatever is written now: such a shard is never filled.
        if end > os.fstat(frames).st_size:
            os.close(rows)
            return False
        os.ftruncate(rows, complete)
        os.ftruncate(frames, end)
        self._frames, self._rows, self._offset, self.path = frames, rows, end, path
        return True


def read_into(descriptor: int, target: memoryview, offset: int, path: Path) -> None:
    """Read bytes of a shard.

    Args:
        descriptor: The open shard.
        target: As many bytes as are to be read.
        offset: Where they begin.
        path: The shard, for messages.

    Raises:
        FrameStoreError: If the shard ends before them, or cannot be read.
    """
    try:
        while len(target):
            read_bytes = os.preadv(descriptor, [target], offset)
            if not read_bytes:
                raise FrameStoreError(
                    f"{path}: ends before byte {offset + len(target)}, where frames should be; copy the file again, "
                    "or fill the store again"
                )
            target, offset = target[read_bytes:], offset + read_bytes
    except OSError as error:
        raise FrameStoreError(f"{path}: cannot be read ({error.strerror}); check disk and permissions") from error


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise FrameStoreError(
            f"{path}: cannot be written ({error.strerror}); check space and permissions, and run the same command "
            "again: what was written before is kept"
        ) from error


def _write_all(descriptor: int, data: memoryview, offset: int) -> None:
    while len(data):
        written_bytes = os.pwrite(descriptor, data, offset)
        data, offset = data[written_bytes:], offset + written_bytes


def _make_store(folder: Path) -> None:
    if check_version(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{STORE_FILE}.{uuid4().hex}"
    part.write_text(json.dumps(_store_content()) + "\n", encoding="utf-8")
    part.replace(folder / STORE_FILE)
