"""Frames of training clips: out of a frame store, or decoded."""

from __future__ import annotations

import numpy as np

from egobench.video import ClipRequest, FailedClip, FrameStore, read_clips


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
