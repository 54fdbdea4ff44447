"""What can be found out about a video file without asking for its frames, kept from one start to the next.

What is kept is one JSON line a file, under the file's fingerprint, so that only files that are new or have changed are
looked at. A line that was cut off by a kill is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from egobench.errors import StoreError, VideoError
from egobench.video import fingerprint
from egobench.video.backends import open_reader
from egobench.video.facts import facts_of, read_index
from egobench.video.index import VideoIndex


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What was found out about one file: one line of what is kept.

    Attributes:
        path: The file.
        fingerprint: Its size, time and ends, see :func:`egobench.video.fingerprint`.
        error: Why it cannot be read, ``""`` when it can.
        seconds: Its length; what the header promises, if more.
        intact: Seconds up to which every frame is there.
        frames: Displayed frames.
        fps: Average frames per second.
        width: Coded pixels.
        height: Coded pixels.
        codec: FFmpeg's name.
        variable_rate: Whether frames last unequally long.
        edit_list: Whether an edit list hides frames; second 0 is the first frame that is displayed.
        decoded: Whether every frame was decoded.
        damaged: Stretches without sound frames, as start and end in seconds; known once ``decoded``.
    """

    path: str
    fingerprint: str
    error: str = ""
    seconds: float = 0.0
    intact: float = 0.0
    frames: int = 0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""
    variable_rate: bool = False
    edit_list: bool = False
    decoded: bool = False
    damaged: tuple[tuple[float, float], ...] = ()


def known_files(kept: Path) -> dict[str, FileCheck]:
    """What was found out before, by path; the last line about a file counts, lines that cannot be read do not.

    Raises:
        StoreError: If the file is there and cannot be read.
    """
    known: dict[str, FileCheck] = {}
    try:
        lines = kept.read_bytes().splitlines()
    except FileNotFoundError:
        return known
    except OSError as error:
        raise StoreError(f"{kept}: cannot be read ({error.strerror}); check its permissions") from error
    for line in lines:
        try:
            row: dict[str, Any] = json.loads(line)
            row["damaged"] = tuple((start, end) for start, end in row["damaged"])
            check = FileCheck(**row)
        except (ValueError, TypeError, KeyError):
            continue
        known[check.path] = check
    return known


def check_files(
    files: Sequence[Path], known: Mapping[str, FileCheck], kept: Path, *, workers: int, decode: bool
) -> Iterator[FileCheck]:
    """Look at files that are new or have changed, and keep what was found out.

    Args:
        files: The files, each once.
        known: What is known of them, by path, from :func:`known_files`.
        kept: Where to keep it; a line is added as soon as a file is done.
        workers: Threads, at least 1.
        decode: Decode every frame; otherwise only the index is read.

    Yields:
        One check a file, as they are done; the very object in ``known`` where the file has not changed.

    Raises:
        StoreError: If ``kept`` cannot be written.
    """
    with ThreadPoolExecutor(workers) as threads:
        futures = [threads.submit(check_file, path, known.get(str(path)), decode=decode) for path in files]
        try:
            for future in as_completed(futures):
                check = future.result()
                if check is not known.get(check.path):
                    _keep(check, kept)
                yield check
        finally:
            threads.shutdown(cancel_futures=True)


def _keep(check: FileCheck, kept: Path) -> None:
    line = json.dumps(asdict(check), ensure_ascii=False).encode() + b"\n"
    try:
        with kept.open("ab+") as file:
            end = file.tell()
            file.seek(max(end - 1, 0))
            cut_off = end > 0 and file.read() != b"\n"
            file.write(b"\n" + line if cut_off else line)
    except OSError as error:
        raise StoreError(f"{kept}: cannot be written ({error.strerror}); check permissions and space") from error


def check_file(path: Path, before: FileCheck | None, *, decode: bool) -> FileCheck:
    """Look at one file, unless it is as it was.

    Args:
        path: The file.
        before: What was found out before, ``None`` for nothing.
        decode: Decode every frame; otherwise only the index is read.
    """
    try:
        mark = fingerprint(path)
    except VideoError as error:
        return FileCheck(str(path), "", error=f"{type(error).__name__}: {error}")
    if before is not None and before.fingerprint == mark and (before.decoded or before.error or not decode):
        return before
    try:
        index = read_index(path)
        damaged = _decode(path) if decode else ()
    except VideoError as error:
        return FileCheck(str(path), mark, error=f"{type(error).__name__}: {error}")
    facts = facts_of(index)
    return FileCheck(
        path=str(path),
        fingerprint=mark,
        seconds=round(index.duration, 6),
        intact=round(index.end, 6),
        frames=facts.frames,
        fps=round(facts.fps, 6),
        width=facts.width,
        height=facts.height,
        codec=facts.codec,
        variable_rate=facts.variable_rate,
        edit_list=_edited(index),
        decoded=decode,
        damaged=damaged,
    )


def _edited(index: VideoIndex) -> bool:
    """Whether an edit list hides packets that could be displayed."""
    return index.container.startswith("mov") and bool(index.hidden[int(np.argmax(index.key)) :].any())


def _decode(path: Path) -> tuple[tuple[float, float], ...]:
    """Decode every frame: the stretches that cannot be had, in seconds."""
    with open_reader("pyav", path, 1) as reader:
        times = reader.index.times
        missing = set(range(len(times)))
        for shot in reader.shots(range(len(times)), Event()):
            if shot.pixels is not None:
                missing.discard(shot.number)
    ends = [*times[1:], reader.index.end]
    stretches: list[tuple[float, float]] = []
    for number in sorted(missing):
        start, end = round(times[number], 6), round(ends[number], 6)
        if stretches and stretches[-1][1] == start:
            start = stretches.pop()[0]
        stretches.append((start, end))
    return tuple(stretches)
