"""From decoded frames to what a vision tower sees, as the towers' own processors do it with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from .fit import Fit


@dataclass(frozen=True, slots=True)
class Sight:
    """How a vision tower wants its pixels.

    Attributes:
        side: Height and width in pixels.
        mean: Of red, green and blue, in [0, 1].
        deviation: What the difference to the mean is divided by.
        squash: Whether a frame is squeezed into the square, else its shorter side is fitted and the middle cut out.
    """

    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    squash: bool


CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training images (arXiv 2103.00020)."""


def clip_sight(side: int) -> Sight:
    """CLIP's: the shorter side fitted, the middle cut out."""
    return Sight(side, CLIP_MEAN, CLIP_DEVIATION, squash=False)


def siglip_sight(side: int) -> Sight:
    """SigLIP's: squeezed into the square."""
    return Sight(side, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), squash=True)


def pixels(frames: np.ndarray, sight: Sight, fit: Fit = "crop") -> torch.Tensor:
    """What the tower sees.

    Args:
        frames: uint8 RGB ``(n_frames, height, width, 3)``.
        sight: How it wants them.
        fit: ``pad`` makes each frame square with borders first, so that nothing is cut off or squeezed; ``squeeze``
            makes it square by its sides alone.

    Returns:
        float32 ``(n_frames, 3, side, side)``.
    """
    return normalise(squares(frames, sight, fit), sight)


def squares(frames: np.ndarray, sight: Sight, fit: Fit = "crop") -> torch.Tensor:
    """What the tower sees before colours are normalised.

    Args:
        frames: See :func:`pixels`.
        sight: See :func:`pixels`.
        fit: See :func:`pixels`.

    Returns:
        uint8 ``(n_frames, 3, side, side)``.
    """
    pictures: list[np.ndarray] = []
    for frame in frames:
        picture = Image.fromarray(frame)
        if fit == "pad":
            picture = _bordered(picture, [int(255 * part) for part in sight.mean])
        whole = sight.squash or fit == "squeeze"
        pictures.append(np.asarray(_squashed(picture, sight.side) if whole else _middle(picture, sight.side)))
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def normalise(frames: torch.Tensor, sight: Sight) -> torch.Tensor:
    """Squares as the tower takes them: uint8 ``(..., 3, side, side)`` to float32 of the same shape."""
    mean, deviation = (
        torch.tensor(parts, device=frames.device)[:, None, None] for parts in (sight.mean, sight.deviation)
    )
    return (frames.float() / 255 - mean) / deviation


def _squashed(picture: Image.Image, side: int) -> Image.Image:
    return picture if picture.size == (side, side) else picture.resize((side, side), Image.Resampling.BICUBIC)


def _middle(picture: Image.Image, side: int) -> Image.Image:
    width, height = picture.size
    short = min(width, height)
    if short != side:
        width, height = (side * length // short for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _bordered(picture: Image.Image, colour: Sequence[int]) -> Image.Image:
    width, height = picture.size
    side = max(width, height)
    square = Image.new("RGB", (side, side), tuple(colour))
    square.paste(picture, ((side - width) // 2, (side - height) // 2))
    return square
