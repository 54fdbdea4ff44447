"""Facts about videos that take no decoding: length, rate and size, the cost of a plan, and fingerprints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from egobench.errors import MissingVideoError, UnreadableVideoError, VideoError
from egobench.video.clips import ClipRequest
from egobench.video.files import video_status
from egobench.video.folder import folder_fingerprint, folder_index
from egobench.video.index import VideoIndex, read_index
from egobench.video.plan import count_packets_to_decode, frames_of_clip
from egobench.video.sampling import Size, square_pixel_size

HASHED_BYTES: Final = 64 * 1024
"""Bytes of a file's head and tail that are hashed."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Length, rate, size and codec of a video.

    Attributes:
        duration: Seconds from the first displayed frame to the end of the last; what the header promises, if more.
        frames: Displayed frames.
        fps: Average frames per second.
        width: Pixels as displayed, made square, before the picture is turned.
        height: Pixels as displayed, made square, before the picture is turned.
        codec: FFmpeg's name.
        variable_rate: Whether frames last unequally long, beyond the container's rounding.
        seekable: Whether frames are found by seeking; any other file is read from its beginning.
    """

    duration: float
    frames: int
    fps: float
    width: int
    height: int
    codec: str
    variable_rate: bool
    seekable: bool


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """The cost of reading some clips.

    Attributes:
        files: Files that can be read.
        clips: Clips that can be planned.
        frames: Distinct frames shown.
        decoded: Frames that must be decoded on the way to them.
        failed: Clips that cannot be read, as far as can be told without decoding.
    """

    files: int = 0
    clips: int = 0
    frames: int = 0
    decoded: int = 0
    failed: int = 0


def probe(path: Path) -> VideoFacts:
    """Read the facts of a video.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    return facts_of(index_of(path))


def facts_of(index: VideoIndex) -> VideoFacts:
    """Return the facts of a video whose index is known."""
    times = index.times
    size = square_pixel_size(Size(index.width, index.height), index.pixel_aspect)
    steps = [later - earlier for earlier, later in pairwise(times)]
    return VideoFacts(
        duration=index.duration,
        frames=len(times),
        fps=len(times) / index.intact_until if index.intact_until > 0 else 0.0,
        width=size.width,
        height=size.height,
        codec=index.codec,
        variable_rate=bool(steps) and max(steps) - min(steps) > 2.5 * max(float(index.time_base), 1e-6),
        seekable=index.seekable,
    )


def index_of(path: Path) -> VideoIndex:
    """Read through a file once, without decoding; list a folder of frames.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    return folder_index(path) if S_ISDIR(video_status(path).st_mode) else read_index(path)


def plan_summary(requests: Iterable[ClipRequest]) -> PlanSummary:
    """Count what reading some clips takes, from the files' indexes."""
    requests_by_path: dict[Path, list[ClipRequest]] = {}
    for request in requests:
        requests_by_path.setdefault(request.path, []).append(request)
    clips = files = frames = decoded = total = 0
    for path, file_requests in requests_by_path.items():
        total += len(file_requests)
        try:
            index = index_of(path)
        except VideoError:
            continue
        files += 1
        targets: set[int] = set()
        for request in file_requests:
            try:
                targets.update(frames_of_clip(index, request))
            except VideoError:
                continue
            clips += 1
        frames += len(targets)
        decoded += count_packets_to_decode(index, targets)
    return PlanSummary(files, clips, frames, decoded, total - clips)


def fingerprint(path: Path) -> str:
    """Return a file's size in bytes, modification time in nanoseconds, and SHA-256 of its first and last 64 KiB.

    A folder of frames has one too, see :func:`egobench.video.folder.folder_fingerprint`.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it cannot be read.
    """
    status = video_status(path)
    if S_ISDIR(status.st_mode):
        return folder_fingerprint(path)
    try:
        with path.open("rb") as file:
            digest = sha256(file.read(HASHED_BYTES))
            file.seek(max(status.st_size - HASHED_BYTES, 0))
            digest.update(file.read(HASHED_BYTES))
    except FileNotFoundError as error:
        raise MissingVideoError(f"{path}: no such video; check the folder of videos, or download the file") from error
    except OSError as error:
        raise UnreadableVideoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return f"{status.st_size}-{status.st_mtime_ns}-{digest.hexdigest()}"
