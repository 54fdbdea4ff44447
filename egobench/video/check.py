"""Checks of video files: readable, how long, damaged where; remembered from one start to the next.

A check is remembered as a JSON line under the file's fingerprint, so that only files that are new or have changed are
checked. A line that was cut off by a kill is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import numpy as np

from egobench.errors import StoreError, VideoError
from egobench.video.decoders import open_reader
from egobench.video.facts import facts_of, fingerprint, index_of
from egobench.video.files import is_folder
from egobench.video.index import VideoIndex
from egobench.video.orientation import UPRIGHT
from egobench.video.picture import picture_format
from egobench.video.sampling import Size, square_pixel_size


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The check of one file: one line of the file of checks.

    Attributes:
        path: The file.
        fingerprint: Its size, time and ends, see :func:`egobench.video.facts.fingerprint`.
        error: Why it cannot be read, ``""`` when it can.
        seconds: Its length; what the header promises, if more.
        intact: Seconds up to which every frame is there.
        frames: Displayed frames.
        fps: Average frames per second.
        width: Pixels as displayed, made square, before the picture is turned.
        height: Pixels as displayed, made square, before the picture is turned.
        codec: FFmpeg's name.
        variable_rate: Whether frames last unequally long.
        edit_list: Whether an edit list hides frames; second 0 is the first frame that is displayed.
        turned: How the stored picture is turned and mirrored for display, ``""`` where it is upright.
        pixel_aspect: Width over height of a stored pixel, e.g. ``"4:3"``; ``""`` where pixels are square.
        decoded: Whether every frame was decoded.
        damaged: Stretches without intact frames, as start and end in seconds; known once ``decoded``.
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
    turned: str = ""
    pixel_aspect: str = ""
    decoded: bool = False
    damaged: tuple[tuple[float, float], ...] = ()


class _DisplayNotes(NamedTuple):
    turned: str
    pixel_aspect: str


_COLUMNS: Final = {column.name for column in fields(FileCheck)}


def read_checks(file_of_checks: Path) -> dict[str, FileCheck]:
    """Read the checks made before, by path; the last line of a file counts, lines that cannot be read do not.

    Raises:
        StoreError: If the file is there and cannot be read.
    """
    checks: dict[str, FileCheck] = {}
    try:
        lines = file_of_checks.read_bytes().splitlines()
    except FileNotFoundError:
        return checks
    except OSError as error:
        raise StoreError(f"{file_of_checks}: cannot be read ({error.strerror}); check its permissions") from error
    for line in lines:
        try:
            row: dict[str, Any] = dict(json.loads(line))
            if row.keys() != _COLUMNS:  # of another version
                continue
            row["damaged"] = tuple((start, end) for start, end in row["damaged"])
            check = FileCheck(**row)
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        checks[check.path] = check
    return checks


def check_files(
    files: Sequence[Path], earlier: Mapping[str, FileCheck], file_of_checks: Path, *, workers: int, decode: bool
) -> Iterator[FileCheck]:
    """Check files that are new or have changed, and remember the checks.

    Args:
        files: The files, each once.
        earlier: Checks made before, by path, from :func:`read_checks`.
        file_of_checks: Where checks are remembered; a line is added as soon as a file is done.
        workers: Threads, at least 1.
        decode: Decode every frame; otherwise only the index is read.

    Yields:
        A check per file, as they are done; the very object in ``earlier`` where the file has not changed.

    Raises:
        StoreError: If ``file_of_checks`` cannot be written.
    """
    with ThreadPoolExecutor(workers) as threads:
        futures = [threads.submit(check_file, path, earlier.get(str(path)), decode=decode) for path in files]
        try:
            for future in as_completed(futures):
                check = future.result()
                if check is not earlier.get(check.path):
                    _append(check, file_of_checks)
                yield check
        finally:
            threads.shutdown(cancel_futures=True)


def _append(check: FileCheck, file_of_checks: Path) -> None:
    line = json.dumps(asdict(check), ensure_ascii=False).encode() + b"\n"
    try:
        with file_of_checks.open("ab+") as file:
            end = file.tell()
            file.seek(max(end - 1, 0))
            cut_off = end > 0 and file.read() != b"\n"
            file.write(b"\n" + line if cut_off else line)
    except OSError as error:
        raise StoreError(
            f"{file_of_checks}: cannot be written ({error.strerror}); check permissions and space"
        ) from error


def check_file(path: Path, earlier: FileCheck | None, *, decode: bool) -> FileCheck:
    """Check one file, unless it is unchanged.

    Args:
        path: The file.
        earlier: The check made before, ``None`` for none.
        decode: Decode every frame; otherwise only the index is read.
    """
    try:
        content = fingerprint(path)
    except VideoError as error:
        return FileCheck(str(path), "", error=f"{type(error).__name__}: {error}")
    if earlier is not None and earlier.fingerprint == content and (earlier.decoded or earlier.error or not decode):
        return earlier
    try:
        index = index_of(path)
        display = _display_notes(path, index)
        damaged = _damaged_stretches(path) if decode else ()
    except VideoError as error:
        return FileCheck(str(path), content, error=f"{type(error).__name__}: {error}")
    facts = facts_of(index)
    return FileCheck(
        path=str(path),
        fingerprint=content,
        seconds=round(index.duration, 6),
        intact=round(index.intact_until, 6),
        frames=facts.frames,
        fps=round(facts.fps, 6),
        width=facts.width,
        height=facts.height,
        codec=facts.codec,
        variable_rate=facts.variable_rate,
        edit_list=_has_edit_list(index),
        turned=display.turned,
        pixel_aspect=display.pixel_aspect,
        decoded=decode,
        damaged=damaged,
    )


def _display_notes(path: Path, index: VideoIndex) -> _DisplayNotes:
    """Say how the stored picture differs from the displayed one; frames in folders never do."""
    if is_folder(path):
        return _DisplayNotes("", "")
    picture, stored = picture_format(path), Size(index.width, index.height)
    is_square = square_pixel_size(stored, picture.pixel_aspect) == stored
    aspect = f"{picture.pixel_aspect.numerator}:{picture.pixel_aspect.denominator}"
    turned = "" if picture.orientation == UPRIGHT else picture.orientation.describe()
    return _DisplayNotes(turned, "" if is_square else aspect)


def _has_edit_list(index: VideoIndex) -> bool:
    """Tell whether an edit list hides packets that could be displayed."""
    return index.container.startswith("mov") and bool(index.hidden[int(np.argmax(index.key)) :].any())


def _damaged_stretches(path: Path) -> tuple[tuple[float, float], ...]:
    """Decode every frame; return the stretches that cannot be decoded, in seconds."""
    with open_reader("pyav", path, 1) as reader:
        times = reader.index.times
        missing = set(range(len(times)))
        for frame in reader.frames(range(len(times)), Event()):
            if frame.pixels is not None:
                missing.discard(frame.number)
    ends = [*times[1:], reader.index.intact_until]
    stretches: list[tuple[float, float]] = []
    for number in sorted(missing):
        start, end = round(times[number], 6), round(ends[number], 6)
        if stretches and stretches[-1][1] == start:
            start = stretches.pop()[0]
        stretches.append((start, end))
    return tuple(stretches)
