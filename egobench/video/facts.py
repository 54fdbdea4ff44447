"""What can be said of videos without decoding them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

from egobench.errors import MissingVideoError, UnreadableVideoError, VideoError
from egobench.video.clips import ClipRequest
from egobench.video.folder import folder_fingerprint, folder_index
from egobench.video.index import VideoIndex, build_index, main_stream, open_container
from egobench.video.plan import frames_to_decode
from egobench.video.reading import wanted_frames

ENDS: Final = 64 * 1024
"""Bytes of a file's head and tail that are hashed."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a file says of itself.

    Attributes:
        duration: Seconds from the first displayed frame to the end of the last; what the header promises, if more.
        frames: Displayed frames.
        fps: Average frames per second.
        width: Pixels as displayed, before any rotation.
        height: Pixels as displayed, before any rotation.
        codec: FFmpeg's name.
        variable_rate: Whether frames last unequally long, beyond the container's rounding.
        exact: Whether frames are found by seeking; any other file is read from its beginning.
    """

    duration: float
    frames: int
    fps: float
    width: int
    height: int
    codec: str
    variable_rate: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """How much reading some clips take.

    Attributes:
        files: Files that can be read.
        clips: Clips that can be planned.
        frames: Distinct frames shown.
        decoded: Frames that must be decoded on the way to them.
        failed: Clips that cannot be had, as far as can be told without decoding.
    """

    files: int = 0
    clips: int = 0
    frames: int = 0
    decoded: int = 0
    failed: int = 0


def probe(path: Path) -> VideoFacts:
    """What a file says of itself.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    return facts_of(read_index(path))


def facts_of(index: VideoIndex) -> VideoFacts:
    """What a file says of itself, from its index."""
    times = index.times
    steps = [later - earlier for earlier, later in pairwise(times)]
    return VideoFacts(
        duration=index.duration,
        frames=len(times),
        fps=len(times) / index.end if index.end > 0 else 0.0,
        width=index.width,
        height=index.height,
        codec=index.codec,
        variable_rate=bool(steps) and max(steps) - min(steps) > 2.5 * max(float(index.unit), 1e-6),
        exact=index.exact,
    )


def read_index(path: Path) -> VideoIndex:
    """Read through a file once, without decoding; of a folder of frames, list it.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    if path.is_dir():
        return folder_index(path)
    with open_container(path) as container:
        return build_index(container, main_stream(container, path), path)


def plan_summary(requests: Iterable[ClipRequest]) -> PlanSummary:
    """How much reading some clips take, from the files' indexes."""
    files: dict[Path, list[ClipRequest]] = {}
    for request in requests:
        files.setdefault(request.path, []).append(request)
    found = readable = frames = decoded = total = 0
    for path, asked in files.items():
        total += len(asked)
        try:
            index = read_index(path)
        except VideoError:
            continue
        readable += 1
        wanted: set[int] = set()
        for request in asked:
            try:
                wanted.update(wanted_frames(index, request))
            except VideoError:
                continue
            found += 1
        frames += len(wanted)
        decoded += frames_to_decode(index, wanted)
    return PlanSummary(readable, found, frames, decoded, total - found)


def fingerprint(path: Path) -> str:
    """A file's size in bytes, modification time in nanoseconds, and SHA-256 of its first and last 64 KiB.

    A folder of frames has one too, see :func:`egobench.video.folder.folder_fingerprint`.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it cannot be read.
    """
    if path.is_dir():
        return folder_fingerprint(path)
    try:
        facts = path.stat()
        with path.open("rb") as file:
            digest = sha256(file.read(ENDS))
            file.seek(max(facts.st_size - ENDS, 0))
            digest.update(file.read(ENDS))
    except FileNotFoundError as error:
        raise MissingVideoError(f"{path}: no such video; check the folder of videos, or download the file") from error
    except OSError as error:
        raise UnreadableVideoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return f"{facts.st_size}-{facts.st_mtime_ns}-{digest.hexdigest()}"
