"""Clips out of one file, in one pass."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np

from egobench.errors import DamagedVideoError, UnsupportedVideoError, VideoError
from egobench.video.clips import ClipRequest, DecodedClip, FailedClip
from egobench.video.decoders import open_reader
from egobench.video.frame_reader import DecodedFrame, FrameReader
from egobench.video.index import VideoIndex
from egobench.video.passes import KEPT_BYTES, PlannedClip, split_into_passes
from egobench.video.plan import frames_of_clip
from egobench.video.receipts import Receipt, pixel_hash
from egobench.video.resize import RESIZE_KINDS, ResizeKind, resizer
from egobench.video.sampling import Size, shrunk_size


def read_clips(
    path: Path,
    requests: Sequence[ClipRequest],
    *,
    decoder: str = "pyav",
    threads: int = 1,
    resize: ResizeKind = "auto",
    stop: Event | None = None,
    kept_bytes: int = KEPT_BYTES,
) -> Generator[DecodedClip | FailedClip, None, None]:
    """Read clips out of one file, opened once.

    All requests share one plan: each group of pictures is decoded once, and a frame that several clips share is
    converted once and kept only as long as a clip that needs it is incomplete. Where so many clips overlap that more
    than ``kept_bytes`` would be kept at a time, the file is passed through again for some of them.

    Args:
        path: The file.
        requests: The clips; all of this file.
        decoder: ``"pyav"``, ``"torchcodec"`` or ``"decord"``.
        threads: Threads that the decoder itself may use.
        resize: ``"torch"``, ``"pil"``, or ``"auto"``: torch where it is installed.
        stop: Ends the reading early once it is set.
        kept_bytes: Bytes of frames that may be kept at a time for clips that are incomplete; a single clip may need
            more.

    Yields:
        Each clip as soon as its last frame is decoded, so in order of their last frames in every pass. An unreadable
        file fails every clip; a damaged stretch fails those that need it; clips that cannot be planned come first.

    Raises:
        ValueError: If a request is of another file, or there is no such decoder or way to resize.
    """
    if resize not in RESIZE_KINDS:
        raise ValueError(f"no way to resize is called {resize!r}; there are {', '.join(RESIZE_KINDS)}")
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
        planned: list[PlannedClip] = []
        for request in sorted(requests, key=lambda request: request.start):
            try:
                planned.append(PlannedClip(request, frames_of_clip(reader.index, request)))
            except VideoError as error:
                yield FailedClip(request.key, error)
        for clips in split_into_passes(planned, reader.index, kept_bytes):
            yield from _read_pass(reader, clips, resize, stop)
            if stop.is_set():
                return


@dataclass(slots=True, eq=False)
class _PendingClip:
    """A clip of which some frames are still to come."""

    request: ClipRequest
    numbers: tuple[int, ...]
    missing: set[int]
    frames: dict[int, np.ndarray] = field(default_factory=dict[int, np.ndarray])
    was_resized: bool = False
    is_closed: bool = False


def _read_pass(
    reader: FrameReader, clips: Sequence[PlannedClip], resize: ResizeKind, stop: Event
) -> Iterator[DecodedClip | FailedClip]:
    clips_of_frame: dict[int, list[_PendingClip]] = {}
    for planned in clips:
        clip = _PendingClip(planned.request, planned.numbers, set(planned.numbers))
        for number in clip.missing:
            clips_of_frame.setdefault(number, []).append(clip)
    for frame in reader.frames(sorted(clips_of_frame), stop):
        yield from _deliver(reader, frame, clips_of_frame.pop(frame.number), resize)
    if stop.is_set():
        return
    for number in sorted(clips_of_frame):
        lost = DecodedFrame(number, None, _lost_frame_error(reader.index, number))
        yield from _deliver(reader, lost, clips_of_frame[number], resize)


def _deliver(
    reader: FrameReader, frame: DecodedFrame, clips: Sequence[_PendingClip], resize: ResizeKind
) -> Iterator[DecodedClip | FailedClip]:
    """Give a frame to the clips that need it; yield those that it completes or fails."""
    pixels_by_side: dict[int, np.ndarray] = {}
    # Several questions about one clip: its pixels are hashed once.
    hashes: dict[tuple[tuple[int, ...], int], str] = {}
    for clip in clips:
        if clip.is_closed:
            continue
        if frame.pixels is None:
            clip.is_closed = True
            clip.frames.clear()
            yield FailedClip(clip.request.key, frame.error or _lost_frame_error(reader.index, frame.number))
            continue
        side = clip.request.rule.short_side
        if side not in pixels_by_side:
            pixels_by_side[side] = _fit(frame.pixels, frame.square_size, side, resize)
        clip.frames[frame.number] = pixels_by_side[side]
        clip.was_resized |= pixels_by_side[side] is not frame.pixels
        clip.missing.discard(frame.number)
        if not clip.missing:
            clip.is_closed = True
            complete = _complete(clip, reader, resize, hashes.get((clip.numbers, side)))
            if isinstance(complete, DecodedClip):
                hashes[clip.numbers, side] = complete.receipt.sha256
            clip.frames.clear()
            yield complete


def _fit(pixels: np.ndarray, square_size: Size | None, short_side: int, resize: ResizeKind) -> np.ndarray:
    """Return the picture with square pixels, no larger than its rule allows; resized once at most."""
    stored_size = Size(pixels.shape[1], pixels.shape[0])
    size = shrunk_size(square_size or stored_size, short_side)
    return pixels if size == stored_size else resizer(resize).apply(pixels, *size)


def _complete(
    clip: _PendingClip, reader: FrameReader, resize: ResizeKind, sha256: str | None
) -> DecodedClip | FailedClip:
    """Put the frames of a clip together, with a receipt; their hash is computed unless it is known."""
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
        resize=resizer(resize).name if clip.was_resized else "none",
        sha256=sha256 or pixel_hash(frames),
    )
    return DecodedClip(request.key, frames, times, receipt)


def _lost_frame_error(index: VideoIndex, number: int) -> DamagedVideoError:
    return DamagedVideoError(
        f"{index.path}: the frame at {index.times[number]:.3f} s never came out of the decoder; download the file again"
    )
