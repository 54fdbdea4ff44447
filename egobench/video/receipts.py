"""Receipts: the proof of which pixels a model was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Receipt:
    """The frames of a decoded clip: their times, the decoder and a hash of their pixels.

    Attributes:
        times: Display times of the frames in seconds from the first displayed frame, to the microsecond.
        indices: Numbers of the frames in order of display, from 0.
        width: Pixels.
        height: Pixels.
        decoder: Its name and version, e.g. ``"pyav 18.1.0"``.
        resize: The resizer with its version, e.g. ``"torch bicubic antialias uint8 2.13.0"``, or ``"none"``.
        sha256: :func:`pixel_hash` of the frames.
    """

    times: tuple[float, ...]
    indices: tuple[int, ...]
    width: int
    height: int
    decoder: str
    resize: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as a JSON object."""
        return {**asdict(self), "times": list(self.times), "indices": list(self.indices)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Receipt:
        """Read the receipt that :meth:`to_json` wrote.

        Raises:
            TypeError: If a key is missing or unknown.
        """
        row = dict(row)
        times, indices = tuple(row.pop("times", ())), tuple(row.pop("indices", ()))
        return cls(times=times, indices=indices, **row)


def pixel_hash(frames: np.ndarray) -> str:
    r"""Return the SHA-256, in hex, of the shape (``"16x336x448x3\n"``) and then the pixels in row-major order.

    Args:
        frames: uint8 ``(n_frames, height, width, 3)``.
    """
    digest = sha256(("x".join(map(str, frames.shape)) + "\n").encode())
    digest.update(frames.data if frames.flags.c_contiguous else frames.tobytes())
    return digest.hexdigest()
