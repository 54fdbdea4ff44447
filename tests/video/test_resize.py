"""Two ways to make frames smaller that agree."""

from __future__ import annotations

import numpy as np
import PIL
import pytest
from PIL import Image

from egobench.video.resize import resizer


def picture() -> np.ndarray:
    """Smooth hills of colour, ``(96, 160, 3)``."""
    down, across = np.mgrid[0:96, 0:160]
    planes = [128 + 100 * np.sin(down / 9 + shift) * np.cos(across / 13 - shift) for shift in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def test_pil_is_its_own_bicubic_filter() -> None:
    way = resizer("pil")
    expected = np.asarray(Image.fromarray(picture()).resize((80, 48), Image.Resampling.BICUBIC))
    assert np.array_equal(way.apply(picture(), 80, 48), expected)
    assert way.name == f"pil bicubic {PIL.__version__}"


@pytest.mark.parametrize(("width", "height"), [(80, 48), (107, 64), (33, 20)])
def test_torch_is_within_one_grey_level_of_pil(width: int, height: int) -> None:
    torch = pytest.importorskip("torch", reason="the optional package torch is not installed")
    way = resizer("torch")
    ours = way.apply(picture(), width, height)
    theirs = resizer("pil").apply(picture(), width, height)
    assert ours.shape == (height, width, 3)
    assert ours.flags.c_contiguous
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert way.name == f"torch bicubic antialias uint8 {torch.__version__.partition('+')[0]}"


def test_torch_is_taken_where_it_is_installed() -> None:
    pytest.importorskip("torch", reason="the optional package torch is not installed")
    assert resizer("auto").name == resizer("torch").name


def test_resizing_leaves_the_frame_as_it_was() -> None:
    frame = picture()
    for kind in ("auto", "pil"):
        resizer(kind).apply(frame, 80, 48)
    assert np.array_equal(frame, picture())
