"""The timecode strip: what is drawn is what is read, through H.264 and resizing, and nothing else is."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from egobench.miniego.drawing import timecode
from egobench.miniego.drawing.timecode import Picture


def noise(seed: int, height: int = 192, width: int = 256) -> Picture:
    """A random picture of moderate contrast, ``(height, width, 3)``."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def marked(episode: int, index: int, *, seed: int = 0) -> Picture:
    """A random picture with a timecode."""
    picture = noise(seed)
    timecode.draw(picture, episode, index)
    return picture


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture after PIL's bicubic filter, as the video module resizes without torch."""
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def through_h264(pictures: list[Picture], *, crf: int) -> list[Picture]:
    """The pictures after encoding and decoding, with B-frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(10), options={"crf": str(crf), "bf": "2"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in container.decode(video=0)]


def test_the_checksum_of_123456789_is_that_of_the_catalogue() -> None:
    # CRC-8/SMBUS in the "Catalogue of parametrised CRC algorithms": check value 0xF4.
    assert timecode.crc8(b"123456789") == 0xF4


@pytest.mark.parametrize(("episode", "index"), [(0, 0), (1, 2), (513, 300), (65535, 65535), (43690, 21845)])
def test_what_was_drawn_is_read(episode: int, index: int) -> None:
    assert timecode.read(marked(episode, index)) == (episode, index)


@pytest.mark.parametrize("size", [(299, 224), (224, 224), (336, 336), (448, 336), (128, 96), (112, 112), (97, 73)])
def test_it_survives_rescaling_with_and_without_the_aspect(size: tuple[int, int]) -> None:
    assert timecode.read(resized(marked(777, 1234), *size)) == (777, 1234)


def test_it_survives_strong_compression_and_then_a_downscale() -> None:
    pictures = [resized(noise(index), 512, 384) for index in range(24)]
    for index, picture in enumerate(pictures):
        timecode.draw(picture, 4242, 1000 + index)
    decoded = through_h264(pictures, crf=28)
    assert [timecode.read(resized(picture, 299, 224)) for picture in decoded] == [(4242, 1000 + k) for k in range(24)]


def test_the_strip_covers_the_top_twelfth_only() -> None:
    picture = marked(5, 6, seed=3)
    assert np.array_equal(picture[16:], noise(3)[16:])
    assert set(np.unique(picture[:16])) == {24, 232}


def test_one_wrong_cell_fails_the_check() -> None:
    picture = marked(9, 10)
    picture[:8, 40:48] = 255 - picture[:8, 40:48]
    assert timecode.read(picture) is None


def test_random_and_plain_pictures_hold_no_timecode() -> None:
    pictures = [noise(seed) for seed in range(300)] + [
        np.full((192, 256, 3), level, np.uint8) for level in (0, 128, 255)
    ]
    assert [timecode.read(picture) for picture in pictures] == [None] * 303


def test_a_picture_without_its_top_is_not_misread() -> None:
    assert timecode.read(marked(9, 10)[16:]) is None


def test_a_picture_too_small_for_the_strip_reads_as_none_and_is_refused_for_drawing() -> None:
    small = noise(0, height=40, width=60)
    assert timecode.read(small) is None
    with pytest.raises(ValueError, match="60x40 is too small"):
        timecode.draw(small, 1, 2)


@pytest.mark.parametrize(("episode", "index"), [(-1, 0), (0, 65536)])
def test_numbers_beyond_sixteen_bits_are_refused(episode: int, index: int) -> None:
    with pytest.raises(ValueError, match=r"both must be in \[0, 65535\]"):
        timecode.draw(noise(0), episode, index)
