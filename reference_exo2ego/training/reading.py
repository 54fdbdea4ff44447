"""Frames of training clips: out of a frame store, or decoded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from egobench.video import ClipRequest, FailedClip, FrameStore, read_clips


@lru_cache(maxsize=2)
def open_store(folder: Path) -> FrameStore:
    """Open a frame store, once for all stages: reading its index takes seconds, and it reads on as clips are added.

    Raises:
        FrameStoreError: If it is of another version or damaged, or cannot be read.
    """
    return FrameStore(folder)


def read_frames(request: ClipRequest, store: FrameStore | None) -> np.ndarray:
    """Read the frames of a clip, uint8 RGB ``(n_frames, height, width, 3)``.

    Args:
        request: The clip.
        store: The frame store to read from; ``None`` to decode the file.

    Raises:
        VideoError: If the file cannot be decoded.
        FrameStoreError: If the store lacks frames of the clip, or is damaged.
    """
    if store is not None:
        return store.read(request).frames
    (clip,) = read_clips(request.path, [request])
    if isinstance(clip, FailedClip):
        raise clip.error
    return clip.frames
