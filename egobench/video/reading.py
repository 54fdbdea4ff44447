"""Clips out of one file, in one pass."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np

from egobench.errors import DamagedVideoError, ShortVideoError, UnsupportedVideoError, VideoError
from egobench.video.backends import Reader, Shot, open_reader
from egobench.video.clips import ClipRequest, DecodedClip, FailedClip
from egobench.video.index import VideoIndex
from egobench.video.receipts import Receipt, pixel_hash
from egobench.video.resize import KINDS, ResizeKind, resizer
from egobench.video.sampling import scaled


def read_clips(
    path: Path,
    requests: Sequence[ClipRequest],
    *,
    decoder: str = "pyav",
    threads: int = 1,
    resize: ResizeKind = "auto",
    stop: Event | None = None,
) -> Generator[DecodedClip | FailedClip, None, None]:
    """Read clips out of one file, opened once.

    One plan is made over all requests: each group of pictures is decoded once, and a frame that several clips share is
    converted once and held only as long as one of them is incomplete.

    Args:
        path: The file.
        requests: The clips; all of this file.
        decoder: ``"pyav"``, ``"torchcodec"`` or ``"decord"``.
        threads: Threads that the decoder itself may use.
        resize: ``"torch"``, ``"pil"``, or ``"auto"``: torch where it is installed.
        stop: Ends the reading early once it is set.

    Yields:
        Each clip as soon as its last frame is there, so in order of their last frames. An unreadable file fails every
        clip; a damaged stretch fails those that need it; clips that cannot be planned come first.

    Raises:
        ValueError: If a request is of another file, or there is no such decoder or way to resize.
    """
    if resize not in KINDS:
        raise ValueError(f"no way to resize is called {resize!r}; there are {', '.join(KINDS)}")
    for request in requests:
        if request.path != path:
            raise ValueError(f"clip {request.key!r} is of {request.path}, not of {path}")
    stop = stop or Event()
    try:
        reader = open_reader(decoder, path, threads)
    except VideoError as error:
        yield from (FailedClip(request.key, error) for request in requests)
        return
    with reader:
        yield from _clips(reader, requests, resize, stop)


def wanted_frames(index: VideoIndex, request: ClipRequest) -> tuple[int, ...]:
    """Numbers of the displayed frames that a request is about.

    Raises:
        ShortVideoError: If the file ends before the clip starts.
        DamagedVideoError: If the file is cut off before the clip ends.
    """
    if request.start >= index.duration:
        raise ShortVideoError(
            f"{request.path}: clip {request.key!r} starts at {request.start:g} s, but the video ends at "
            f"{index.duration:.3f} s; check that the annotations belong to this video"
        )
    moments = request.rule.moments(request.start, request.end, index.duration)
    if index.end < index.duration and moments[-1] >= index.end:
        raise DamagedVideoError(
            f"{request.path}: clip {request.key!r} needs the frame at {moments[-1]:.3f} s, but the file is cut off at "
            f"{index.end:.3f} s of {index.duration:.3f} s; download it again"
        )
    return request.rule.frames(request.start, request.end, index.duration, index.times)


@dataclass(slots=True, eq=False)
class _Growing:
    """A clip under way."""

    request: ClipRequest
    numbers: tuple[int, ...]
    frames: dict[int, np.ndarray] = field(default_factory=dict[int, np.ndarray])
    missing: set[int] = field(default_factory=set[int])
    resized: bool = False
    over: bool = False


def _clips(
    reader: Reader, requests: Sequence[ClipRequest], way: ResizeKind, stop: Event
) -> Iterator[DecodedClip | FailedClip]:
    holders: dict[int, list[_Growing]] = {}
    for request in sorted(requests, key=lambda one: one.start):
        try:
            clip = _Growing(request, wanted_frames(reader.index, request))
        except VideoError as error:
            yield FailedClip(request.key, error)
            continue
        clip.missing.update(clip.numbers)
        for number in clip.missing:
            holders.setdefault(number, []).append(clip)
    for shot in reader.shots(sorted(holders), stop):
        yield from _settled(reader, shot, [clip for clip in holders.pop(shot.number) if not clip.over], way)
    if stop.is_set():
        return
    for number in sorted(holders):
        yield from _settled(reader, Shot(number, None, _absent(reader.index, number)), holders[number], way)


def _settled(
    reader: Reader, shot: Shot, clips: Sequence[_Growing], way: ResizeKind
) -> Iterator[DecodedClip | FailedClip]:
    """Give a frame to the clips that need it; yield those that it completes or fails."""
    sized: dict[int, np.ndarray] = {}
    for clip in clips:
        if clip.over:
            continue
        if shot.pixels is None:
            clip.over = True
            yield FailedClip(clip.request.key, shot.error or _absent(reader.index, shot.number))
            continue
        side = clip.request.rule.short_side
        if side not in sized:
            sized[side] = _resized(shot.pixels, side, way)
        clip.frames[shot.number] = sized[side]
        clip.resized |= sized[side] is not shot.pixels
        clip.missing.discard(shot.number)
        if not clip.missing:
            clip.over = True
            yield _finished(clip, reader, way)
            clip.frames.clear()


def _resized(pixels: np.ndarray, short_side: int, way: ResizeKind) -> np.ndarray:
    height, width = pixels.shape[:2]
    target = scaled(width, height, short_side)
    return pixels if target == (width, height) else resizer(way).apply(pixels, *target)


def _finished(clip: _Growing, reader: Reader, way: ResizeKind) -> DecodedClip | FailedClip:
    request = clip.request
    if len({frame.shape for frame in clip.frames.values()}) > 1:
        error = UnsupportedVideoError(
            f"{request.path}: the size of the picture changes within clip {request.key!r}; re-encode the video"
        )
        return FailedClip(request.key, error)
    frames = np.stack([clip.frames[number] for number in clip.numbers])
    times = np.array([reader.index.times[number] for number in clip.numbers])
    receipt = Receipt(
        times=tuple(round(time, 6) for time in times.tolist()),
        indices=clip.numbers,
        width=frames.shape[2],
        height=frames.shape[1],
        decoder=reader.decoder,
        resize=resizer(way).name if clip.resized else "none",
        sha256=pixel_hash(frames),
    )
    return DecodedClip(request.key, frames, times, receipt)


def _absent(index: VideoIndex, number: int) -> DamagedVideoError:
    return DamagedVideoError(
        f"{index.path}: the frame at {index.times[number]:.3f} s never came out of the decoder; download the file again"
    )
