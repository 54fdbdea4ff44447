"""SHA-256 of large files, computed once on every core and remembered between processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import time_ns
from typing import Any

from egobench.cache_folder import cache_folder
from egobench.errors import ModelError

CHUNK = 64 << 20
"""Bytes that one thread hashes at a time; a file's digest is that of the digests of its chunks."""

BLOCK = 1 << 20
"""Bytes read at a time."""

REMEMBERED = 1 << 20
"""Bytes of the smallest file whose digest is worth remembering."""

SETTLED = 2_000_000_000
"""Nanoseconds since its last change after which a file's times tell a later change from this one."""

MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a changed file from an unchanged one without reading it.

    Attributes:
        path: The file, links followed.
        size: Bytes.
        mtime: Time of the last change of its contents, in nanoseconds.
        ctime: Time of the last change of anything about it, in nanoseconds; programs cannot set it back.
        inode: Number of the file on its device.
        device: Number of the device.
    """

    path: str
    size: int
    mtime: int
    ctime: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The state of a file now.

        Raises:
            OSError: If it cannot be looked at.
        """
        resolved = path.resolve()
        status = resolved.stat()
        return cls(str(resolved), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def file_digests(paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> dict[Path, str]:
    """Digest of all bytes of each file: remembered where the file is unchanged, else computed.

    Args:
        paths: Files.
        progress: Called with the bytes hashed and to be hashed, after every chunk; files that are remembered are not
            counted.

    Raises:
        ModelError: If a file cannot be read, or changes while it is read.
    """
    folder = cache_folder() / "digests"
    digests: dict[Path, str] = {}
    states: dict[Path, FileState] = {}
    started = time_ns()
    for path in paths:
        try:
            states[path] = FileState.of(path)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
        if (remembered := _recall(folder, states[path])) is not None:
            digests[path] = remembered
    waiting = [path for path in states if path not in digests]
    for path, digest in _hash_files({path: states[path].size for path in waiting}, progress):
        if FileState.of(path) != states[path]:
            raise ModelError(f"{path}: changed while it was read; wait until it is written, then run again")
        digests[path] = digest
        if started - states[path].ctime > SETTLED:
            _remember(folder, states[path], digest)
    return digests


def _hash_files(sizes: dict[Path, int], progress: Callable[[int, int], None] | None) -> Iterable[tuple[Path, str]]:
    chunks = [(path, start) for path, size in sizes.items() for start in range(0, max(size, 1), CHUNK)]
    done, total = 0, sum(sizes.values())
    by_file: dict[Path, list[bytes]] = {}
    if progress is not None and total:
        progress(0, total)
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        for (path, start), digest in zip(chunks, pool.map(_hash_chunk, chunks), strict=True):
            by_file.setdefault(path, []).append(digest)
            done += min(CHUNK, sizes[path] - start)
            if progress is not None:
                progress(done, total)
    return [(path, sha256(b"".join(parts)).hexdigest()) for path, parts in by_file.items()]


def _hash_chunk(chunk: tuple[Path, int]) -> bytes:
    path, start = chunk
    digest = sha256()
    try:
        with path.open("rb") as file:
            file.seek(start)
            remaining = CHUNK
            while remaining and (block := file.read(min(BLOCK, remaining))):
                digest.update(block)
                remaining -= len(block)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    return digest.digest()


def _entry(folder: Path, state: FileState) -> Path:
    """One entry per file: processes that hash different files never write to the same place."""
    return folder / f"{sha256(os.fsencode(state.path)).hexdigest()[:32]}.json"


def _recall(folder: Path, state: FileState) -> str | None:
    if state.size < REMEMBERED:
        return None
    try:
        entry: Any = json.loads(_entry(folder, state).read_text(encoding="utf-8"))
        known, digest = entry["state"], entry["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    same = known == _as_json(state)
    return digest if same and isinstance(digest, str) and len(digest) == 64 else None


def _remember(folder: Path, state: FileState, digest: str) -> None:
    """Keep a digest; a cache that cannot be written only costs the next run its time."""
    if state.size < REMEMBERED:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=folder, prefix=".part-", delete=False, encoding="utf-8") as file:
            part = Path(file.name)
            json.dump({"state": _as_json(state), "sha256": digest}, file)
        try:
            part.replace(_entry(folder, state))
        finally:
            part.unlink(missing_ok=True)


def _as_json(state: FileState) -> dict[str, str | int]:
    # A path need not be text.
    path = os.fsencode(state.path).decode(errors="backslashreplace")
    return {
        "path": path,
        "size": state.size,
        "mtime": state.mtime,
        "ctime": state.ctime,
        "inode": state.inode,
        "device": state.device,
    }
