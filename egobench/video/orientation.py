"""How a picture is turned and mirrored before it is displayed: the display matrix of MP4, and of H.264 and HEVC."""

# PyAV has half of its types.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

from typing import Any, Final, NamedTuple

import av
import numpy as np
from av.video.frame import VideoFrame

from egobench.video.sampling import Size

SLANT: Final = 0.0175
"""Tangent of the angle, one degree, by which a display matrix may be off the axes."""


class Orientation(NamedTuple):
    """One of the eight ways in which a picture can lie on the axes.

    Attributes:
        transposed: Rows and columns change places, first of all.
        mirrored: Then left and right change places.
        flipped: Then top and bottom change places.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @property
    def keeps_handedness(self) -> bool:
        """Whether it is a rotation: nothing is seen as in a mirror."""
        return (self.transposed + self.mirrored + self.flipped) % 2 == 0

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return the upright picture, contiguous.

        Args:
            pixels: As stored, ``(height, width, 3)``.
        """
        if self == UPRIGHT:
            return pixels
        upright = pixels.swapaxes(0, 1) if self.transposed else pixels
        upright = upright[:, ::-1] if self.mirrored else upright
        return np.ascontiguousarray(upright[::-1] if self.flipped else upright)

    def apply_to_size(self, size: Size) -> Size:
        """Return the size of the upright picture."""
        return Size(size.height, size.width) if self.transposed else size

    def describe(self) -> str:
        """Say in words how the stored picture is turned and mirrored, e.g. ``"turned by 90 degrees clockwise"``."""
        return _WORDS[self]


UPRIGHT: Final = Orientation()
_WORDS: Final = {
    UPRIGHT: "upright",
    Orientation(transposed=True, mirrored=True): "turned by 90 degrees clockwise",
    Orientation(mirrored=True, flipped=True): "turned by 180 degrees",
    Orientation(transposed=True, flipped=True): "turned by 90 degrees counterclockwise",
    Orientation(mirrored=True): "mirrored left to right",
    Orientation(flipped=True): "mirrored top to bottom",
    Orientation(transposed=True): "mirrored along the diagonal",
    Orientation(transposed=True, mirrored=True, flipped=True): "mirrored along the other diagonal",
}


def display_matrix_of(frame: VideoFrame) -> bytes | None:
    """Return the display matrix that comes with a frame, ``None`` if none does, ``b""`` if PyAV cannot tell."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV refuses the lot where it does not know the kind of one
        return b""
    return None if matrix is None else bytes(matrix)


class DisplayMatrices:
    """Display matrices of the frames that come out of a decoder.

    The container's matrix comes with every frame; that of a display orientation message comes with the frame of the
    message alone and holds until the next one, as ffmpeg reads it.

    Args:
        first: The matrix that holds until a frame comes with another, ``None`` for none.
    """

    def __init__(self, first: bytes | None = None) -> None:
        self._current = first
        self._by_pts: dict[int | None, bytes] = {}

    def note(self, frame: VideoFrame) -> None:
        """Note the display matrix that holds for a frame; to be called for every frame in turn."""
        matrix = display_matrix_of(frame)
        if matrix is not None:
            self._current = matrix
        if self._current is not None:
            self._by_pts[frame.pts] = self._current

    def orientation_of(self, frame: VideoFrame) -> Orientation:
        """Return the orientation of a frame that was noted.

        Raises:
            ValueError: If its matrix turns the picture by an angle between the quarters.
        """
        return orientation_of(self._by_pts.get(frame.pts))


def orientation_of(matrix: bytes | None) -> Orientation:
    """Read the orientation from a display matrix; upright without one.

    Args:
        matrix: Nine 32-bit integers, the rows ``a b u``, ``c d v``, ``x y w`` of ISO/IEC 14496-12, 6.2.2: the stored
            pixel ``(p, q)`` is displayed at ``(a p + c q + x, b p + d q + y)``. A matrix of zeros says nothing.

    Raises:
        ValueError: If the matrix turns the picture by an angle between the quarters, or cannot be read.
    """
    if matrix is None:
        return UPRIGHT
    if not matrix:
        raise ValueError(f"it comes with data of a kind that PyAV {av.__version__} does not know; install a newer one")
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float).tolist()
    if not any((a, b, c, d)):
        return UPRIGHT
    if max(abs(b), abs(c)) < SLANT * min(abs(a), abs(d)):
        return Orientation(mirrored=a < 0, flipped=d < 0)
    if max(abs(a), abs(d)) < SLANT * min(abs(b), abs(c)):
        return Orientation(transposed=True, mirrored=c < 0, flipped=b < 0)
    raise ValueError(f"its display matrix ({a:g} {b:g} {c:g} {d:g}) turns it by an angle between the quarters")
