"""Display matrices, worked out by hand: the stored pixel (p, q) is displayed at (a p + c q + x, b p + d q + y)."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from egobench.errors import UnsupportedVideoError
from egobench.video.decoders import open_reader
from egobench.video.orientation import UPRIGHT, Orientation, orientation_of
from egobench.video.sampling import Size
from tests.video.ffmpeg import MATRICES, reference_frames

STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[:, :, None].repeat(3, axis=2)


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    entries = [round(entry * 65536) for entry in (a, b, c, d)]
    return np.array([*entries[:2], 0, *entries[2:], 0, 0, 0, 1 << 30], np.int32).tobytes()


@pytest.mark.parametrize(
    ("words", "displayed"),
    [
        ("upright", [[1, 2, 3], [4, 5, 6]]),
        ("mirrored left to right", [[3, 2, 1], [6, 5, 4]]),
        ("mirrored top to bottom", [[4, 5, 6], [1, 2, 3]]),
        ("turned by 180 degrees", [[6, 5, 4], [3, 2, 1]]),
        ("turned by 90 degrees clockwise", [[4, 1], [5, 2], [6, 3]]),
        ("turned by 90 degrees counterclockwise", [[3, 6], [2, 5], [1, 4]]),
        ("mirrored along the diagonal", [[1, 4], [2, 5], [3, 6]]),
        ("mirrored along the other diagonal", [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_each_of_the_eight_matrices_moves_the_pixels(words: str, displayed: list[list[int]]) -> None:
    orientation = orientation_of(matrix(*MATRICES[words]))
    assert orientation.apply(STORED)[:, :, 0].tolist() == displayed
    assert orientation.apply(STORED).flags.c_contiguous
    assert orientation.describe() == words
    assert orientation.keeps_handedness == ("mirrored" not in words)
    assert orientation.apply_to_size(Size(3, 2)) == Size(len(displayed[0]), len(displayed))


def test_a_picture_without_a_matrix_is_upright() -> None:
    assert orientation_of(None) == UPRIGHT
    assert orientation_of(matrix(0, 0, 0, 0)) == UPRIGHT


def test_a_matrix_that_also_scales_turns_all_the_same() -> None:
    assert orientation_of(matrix(0, 1.5, -0.5, 0)) == Orientation(transposed=True, mirrored=True)


@pytest.mark.parametrize("entries", [(0.7071, 0.7071, -0.7071, 0.7071), (1, 0, 0, 0), (1, 0.5, 0, 1)])
def test_an_angle_between_the_quarters_is_refused(entries: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="between the quarters"):
        orientation_of(matrix(*entries))


def test_data_that_pyav_cannot_read_is_no_reason_to_guess() -> None:
    with pytest.raises(ValueError, match="does not know"):
        orientation_of(b"")


def test_a_photograph_is_turned_as_its_exif_says_or_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(tmp_path / "a.jpg", exif=exif)
    with open_reader("pyav", tmp_path / "a.jpg", 1) as reader:
        (frame,) = reader.frames([0], Event())
    if frame.pixels is None:
        assert isinstance(frame.error, UnsupportedVideoError)  # PyAV below 16
    else:
        assert np.array_equal(frame.pixels, reference_frames(tmp_path / "a.jpg")[0])
