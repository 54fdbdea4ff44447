"""Frames of training clips: out of a frame store, or decoded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from egobench.errors import MissingFramesError
from egobench.video import ClipRequest, FailedClip, FrameRule, FrameStore, read_clips


@lru_cache(maxsize=2)
def open_store(folder: Path) -> FrameStore:
    """Open a frame store, once for all stages: reading its index takes seconds, and it reads on as clips are added.

    Raises:
        FrameStoreError: If it is of another version or damaged, or cannot be read.
    """
    return FrameStore(folder)


def clip_request(path: Path, start: float | None, end: float | None, rule: FrameRule) -> ClipRequest:
    """Return the request for a clip, with a key that tells it from all others.

    Args:
        path: The video.
        start: Seconds; ``None`` for the beginning of the file.
        end: Seconds; ``None`` for the end of the file.
        rule: Which of its frames are shown.
    """
    frames = f"{rule.count} frames{' and its end' if rule.last else ''}"
    rate = "" if rule.fps is None else f", {rule.fps:g} a second at most"
    return ClipRequest(f"{path} from {start} to {end}: {frames}{rate}", path, start or 0.0, end, rule)


def read_frames(request: ClipRequest, store: FrameStore | None) -> np.ndarray:
    """Read the frames of a clip, uint8 RGB ``(n_frames, height, width, 3)``.

    Args:
        request: The clip.
        store: The frame store to read from; ``None`` to decode the file.

    Raises:
        VideoError: If the file cannot be decoded.
        FrameStoreError: If the store lacks frames of the clip though they can be decoded, or is damaged.
    """
    if store is None:
        return _decoded(request)
    try:
        return store.read(request).frames
    except MissingFramesError:
        # What cannot be decoded is in no store, and is an unreadable clip with a store as it is without.
        _decoded(request)
        raise


def _decoded(request: ClipRequest) -> np.ndarray:
    (clip,) = read_clips(request.path, [request])
    if isinstance(clip, FailedClip):
        raise clip.error
    return clip.frames
