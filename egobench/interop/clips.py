"""Frames as a video file without loss, for whoever takes a path and decodes by himself.

H.264 keeps RGB exactly at quantiser 0 (the High 4:4:4 Predictive profile), in the lower-case ``.mp4`` that every
adapter of lmms-eval accepts. PyAV and decord read the very pixels back; a clip is decoded and compared before it gets
its name.
"""

# PyAV has half of its types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import av
import av.error
import numpy as np
from av.codec.codec import UnknownCodecError

from egobench.errors import DamagedVideoError, StoreError, UnsupportedVideoError
from egobench.video import pixel_hash

FPS: Final = 1.0
"""Frames a second of a clip unless told otherwise.

A reader that samples at 1 or 2 frames a second takes every frame at this rate, as does one that asks for a number of
frames. At the true rate of 16 frames of a long clip, some readers divide by a rate that they have rounded to 0.
"""

OPTIONS: Final = {"preset": "ultrafast", "qp": "0"}
CONTAINER: Final = {"movflags": "+faststart", "fflags": "+bitexact"}


def write_clip(frames: np.ndarray, times: np.ndarray, path: Path, *, fps: float | None = FPS) -> Path:
    """Write frames as a video file whose decoded pixels are these frames.

    The file appears whole and checked, or not at all.

    Args:
        frames: uint8 RGB ``(n_frames, height, width, 3)``, at least one frame.
        times: Seconds of each frame, ascending, ``(n_frames,)``; only needed for ``fps=None``.
        path: The file to write; its name should end in ``.mp4``.
        fps: Frames a second; ``None`` for the true mean rate by :func:`rate_of`, which keeps the clip's length.

    Returns:
        The path.

    Raises:
        ValueError: If there is no frame, or they are no uint8 RGB frames.
        UnsupportedVideoError: If this PyAV cannot encode H.264 in RGB, or frames of this size.
        DamagedVideoError: If the written file does not hold the frames.
        StoreError: If it cannot be written: no space left, no right to.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}; expected uint8 (n, height, width, 3)")
    rate = _rate(times, fps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".part-", suffix=".mp4", delete=False) as file:
            part = Path(file.name)
        try:
            _encode(frames, part, rate)
            if not np.array_equal(read_clip(part), frames):
                raise DamagedVideoError(f"{path}: the clip does not decode into the frames that were encoded")
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: the clip cannot be written ({error.strerror or error})") from error
    return path


def cached_clip(frames: np.ndarray, times: np.ndarray, folder: Path, *, fps: float | None = FPS) -> Path:
    """The clip of these frames in a folder, written if it is not there yet; its name is the hash of its pixels.

    Args:
        frames: See :func:`write_clip`.
        times: See :func:`write_clip`.
        folder: Where clips are kept.
        fps: See :func:`write_clip`.

    Raises:
        ValueError: See :func:`write_clip`.
        UnsupportedVideoError: See :func:`write_clip`.
        DamagedVideoError: See :func:`write_clip`.
        StoreError: See :func:`write_clip`.
    """
    rate = _rate(times, fps)
    path = folder / f"{pixel_hash(frames)[:32]}-{rate.numerator}over{rate.denominator}.mp4"
    return path if path.is_file() else write_clip(frames, times, path, fps=fps)


def read_clip(path: Path) -> np.ndarray:
    """All frames of a clip that :func:`write_clip` wrote, uint8 RGB ``(n_frames, height, width, 3)``.

    Raises:
        DamagedVideoError: If it cannot be decoded.
    """
    try:
        with av.open(str(path)) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    except (av.error.FFmpegError, ValueError) as error:
        raise DamagedVideoError(f"{path}: no clip that can be decoded ({error}); delete it") from error


def rate_of(times: np.ndarray) -> Fraction:
    """Mean frame rate of frames shown at these seconds; 1 where they span no time.

    Args:
        times: Ascending, ``(n_frames,)``.
    """
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return _rational((len(times) - 1) / span) if span > 0 else Fraction(1)


def _rate(times: np.ndarray, fps: float | None) -> Fraction:
    return rate_of(times) if fps is None else _rational(fps)


def _rational(rate: float) -> Fraction:
    return max(Fraction(rate).limit_denominator(1001), Fraction(1, 1001))


def _encode(frames: np.ndarray, path: Path, rate: Fraction) -> None:
    height, width = frames.shape[1:3]
    try:
        with av.open(str(path), "w", options=CONTAINER) as container:
            stream = container.add_stream("libx264rgb", rate=rate, options=OPTIONS)
            stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    except OSError:
        # FFmpeg's, too, where the fault is the disk's.
        raise
    except (av.error.FFmpegError, UnknownCodecError) as error:
        raise UnsupportedVideoError(
            f"{path}: this PyAV cannot encode {width} x {height} pixels by libx264rgb ({error})"
        ) from error
