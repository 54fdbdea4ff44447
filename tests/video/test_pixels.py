"""Pixels against ffmpeg's own: containers, codecs, colours, display matrices, pixel aspects and B-frames.

Every decoder gives ffmpeg's pixels, bit by bit, or refuses the file; the default decoder refuses none of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from threading import Event
from typing import Final

import numpy as np
import pytest

from egobench.errors import UnreadableVideoError, UnsupportedVideoError
from egobench.video import ClipRequest, DecodedClip, FrameRule, read_clips
from egobench.video.decoders import DECODERS, open_reader
from tests.video.conftest import is_usable
from tests.video.ffmpeg import (
    MATRICES,
    MESSAGES,
    reference_frames,
    run_ffmpeg,
    with_display_matrix,
    with_orientation_message,
    write_pattern,
)

COLOURS: Final = tuple(product(("smpte170m", "bt709", "bt2020nc"), ("tv", "pc")))
ASPECTS: Final = ("1/1", "4/3", "8/9")
CODECS: Final = {
    "h264": ("-c:v libx264 -preset veryfast -b_strategy 0 -g 6 -bf", (0, 3)),
    "hevc": ("-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=6:b-adapt=0:bframes=", (0, 3)),
    "mpeg4": ("-c:v mpeg4 -q:v 3 -g 6 -bf", (0, 2)),
    "mpeg2": ("-c:v mpeg2video -q:v 3 -g 6 -bf", (0, 2)),
    "vp8": ("-c:v libvpx -b:v 1M -deadline realtime -g 6 -auto-alt-ref", (0, 1)),
    "vp9": ("-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -g", (6,)),
    "av1": ("-c:v libsvtav1 -preset 12 -svtav1-params lp=1 -g", (6,)),
    "mjpeg": ("-c:v mjpeg -strict unofficial -q:v", (3,)),
    "wmv2": ("-c:v wmv2 -q:v 3 -g", (6,)),
    "ffv1": ("-c:v ffv1 -g", (1,)),
}
"""Options of each encoder, and what its last one is set to: the number of B-frames, where it has any."""

FILES: Final = (
    *(("h264", suffix) for suffix in ("mp4", "mov", "mkv", "avi", "asf", "ts", "flv", "nut", "h264")),
    *(("hevc", suffix) for suffix in ("mp4", "mkv", "ts", "hevc")),
    *(("mpeg4", suffix) for suffix in ("mp4", "mkv", "avi", "asf")),
    *(("mpeg2", suffix) for suffix in ("mpg", "ts", "mkv", "avi")),
    *(("vp8", suffix) for suffix in ("webm", "avi")),
    *(("vp9", suffix) for suffix in ("webm", "mp4", "ivf")),
    *(("av1", suffix) for suffix in ("webm", "mp4")),
    *(("mjpeg", suffix) for suffix in ("avi", "mov")),
    ("wmv2", "asf"),
    ("ffv1", "mkv"),
)


def write_coded(
    path: Path, codec: str, value: int, colour: tuple[str, str], aspect: str, *, size: str = "64x48"
) -> Path:
    """Write the pattern in a codec, its colours converted to a matrix and range and marked so."""
    (matrix, colour_range), options = colour, CODECS[codec][0]
    last = (f"{options}{value}" if options.endswith("=") else f"{options} {value}").split()
    colours = ("-colorspace", matrix, "-color_range", colour_range, "-pix_fmt", "yuv420p")
    filters = f"scale=out_color_matrix={matrix}:out_range={colour_range},format=yuv420p,setsar={aspect}"
    return write_pattern(path, *last, *colours, filters=filters, size=size)


def is_right_or_refused(path: Path, decoder: str, expected: np.ndarray | None = None) -> bool:
    """Whether a decoder gives ffmpeg's pixels in ffmpeg's order, all of them and a few; false where it refuses them.

    Anything else fails the test.
    """
    expected = reference_frames(path) if expected is None else expected
    for numbers in (range(len(expected)), sorted({1, len(expected) // 2, len(expected) - 2})):
        try:
            with open_reader(decoder, path, 1) as reader:
                assert len(reader.index.times) == len(expected)
                frames = {frame.number: frame for frame in reader.frames(numbers, Event())}
        except (UnsupportedVideoError, UnreadableVideoError):
            assert decoder != "pyav"
            return False
        assert [*frames] == [*numbers]
        for number, frame in frames.items():
            if decoder != "pyav" and frame.error is not None:
                return False
            assert frame.pixels is not None, frame.error
            assert np.array_equal(frame.pixels, expected[number]), f"{decoder}, {path.name}, frame {number}"
    return True


def assert_right_or_refused(path: Path, decoders: Sequence[str]) -> None:
    expected = reference_frames(path)
    for decoder in decoders:
        assert is_right_or_refused(path, decoder, expected) or decoder != "pyav"


@pytest.fixture(scope="module")
def decoders() -> list[str]:
    """Every decoder that can be used here."""
    return [name for name in DECODERS if name == "pyav" or is_usable(name)]


def test_a_red_clip_of_bt709_is_red(tmp_path: Path, decoder: str) -> None:
    path = tmp_path / "red.mp4"
    filters = "scale=out_color_matrix=bt709,format=yuv420p"
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-vf", filters, "-colorspace", "bt709", str(path))
    with open_reader(decoder, path, 1) as reader:
        (frame,) = reader.frames([3], Event())
    assert frame.pixels is not None
    # By ITU-R BT.709 pure red is Y 63, Cb 102, Cr 240 in 8 bits, and that is (251, 0, 0) by the scaler's rounding.
    assert {tuple(pixel) for pixel in frame.pixels.reshape(-1, 3).tolist()} == {(251, 0, 0)}


@pytest.mark.parametrize(
    ("codec", "suffix", "value", "colour"),
    [
        ("h264", "avi", 8, ("bt709", "tv")),
        ("h264", "asf", 8, ("bt2020nc", "tv")),
        ("h264", "mp4", 3, ("bt709", "pc")),
        ("mpeg4", "avi", 2, ("smpte170m", "tv")),
        ("mpeg2", "ts", 2, ("bt709", "tv")),
        ("vp9", "webm", 6, ("bt709", "pc")),
    ],
)
def test_a_video_has_the_pixels_of_ffmpeg_or_is_refused(
    tmp_path: Path, codec: str, suffix: str, value: int, colour: tuple[str, str], decoder: str
) -> None:
    path = write_coded(tmp_path / f"a.{suffix}", codec, value, colour, "1/1")
    assert is_right_or_refused(path, decoder) or decoder != "pyav"


@pytest.mark.parametrize("orientation", MATRICES)
def test_a_picture_is_turned_and_mirrored_as_its_display_matrix_says(
    tmp_path: Path, orientation: str, decoder: str
) -> None:
    upright = write_coded(tmp_path / "upright.mp4", "h264", 3, ("bt709", "tv"), "1/1", size="192x128")
    path = with_display_matrix(upright, orientation, tmp_path / "turned.mp4")
    right = is_right_or_refused(path, decoder)
    assert right == (decoder == "pyav" or "mirrored" not in orientation)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
@pytest.mark.parametrize("orientation", MESSAGES)
def test_a_message_that_turns_a_key_frame_turns_those_after_it(tmp_path: Path, orientation: str, suffix: str) -> None:
    upright = write_coded(tmp_path / "upright.mkv", "h264", 0, ("bt709", "tv"), "1/1")
    assert is_right_or_refused(with_orientation_message(upright, orientation, tmp_path / f"a.{suffix}"), "pyav")


def test_other_decoders_refuse_videos_that_a_message_turns(tmp_path: Path, other_decoder: str) -> None:
    upright = write_coded(tmp_path / "upright.mkv", "h264", 0, ("bt709", "tv"), "1/1")
    for orientation in MESSAGES:
        assert not is_right_or_refused(
            with_orientation_message(upright, orientation, tmp_path / "a.mkv"), other_decoder
        )


def clip_of(path: Path, decoder: str, short_side: int = 336) -> np.ndarray:
    request = ClipRequest("a", path, 0, None, FrameRule(count=4, short_side=short_side))
    (clip,) = read_clips(path, [request], decoder=decoder, resize="pil")
    assert isinstance(clip, DecodedClip), clip
    return clip.frames


@pytest.mark.parametrize("orientation", ["upright", "turned by 90 degrees clockwise"])
@pytest.mark.parametrize(("aspect", "width"), [("1/1", 224), ("16/9", 398), ("8/9", 199)])
def test_pixels_are_made_square_and_then_turned(
    tmp_path: Path, aspect: str, width: int, orientation: str, decoder: str
) -> None:
    stored = write_coded(tmp_path / "stored.mp4", "h264", 3, ("bt709", "tv"), aspect, size="224x224")
    path = with_display_matrix(stored, orientation, tmp_path / "a.mp4")
    frames, turned = clip_of(path, decoder), orientation != "upright"
    assert frames.shape == ((4, width, 224, 3) if turned else (4, 224, width, 3))
    size = f"224:{width}" if turned else f"{width}:224"
    # The middles of four parts of 1.2 s, 0.15, 0.45, 0.75 and 1.05 s, at ten frames a second.
    expected = reference_frames(path, f"scale={size}:flags=bicubic")[[1, 4, 7, 10]]
    difference = np.abs(frames.astype(int) - expected).mean()
    shifted = np.abs(np.roll(frames, 3, axis=(1, 2)).astype(int) - expected).mean()
    assert difference < 4  # of 255: two bicubic filters at sharp edges
    assert shifted > 8  # a picture that is three pixels off


def test_a_size_that_was_rounded_is_not_stretched(tmp_path: Path) -> None:
    path = tmp_path / "rounded.mp4"
    write_pattern(path, "-c:v", "libx264", size="192x108", filters="scale=96:-2")  # 96 x 54, exactly
    small = write_pattern(tmp_path / "small.mp4", "-c:v", "libx264", size="192x108", filters="scale=76:-2")
    for video, shape in ((path, (54, 96)), (small, (42, 76))):  # 42.75 is rounded to 42, and ffmpeg writes 133:134...
        assert clip_of(video, "pyav").shape[1:3] == shape
        assert np.array_equal(clip_of(video, "pyav"), reference_frames(video)[[1, 4, 7, 10]])


def variants(codec: str) -> Iterator[tuple[int, tuple[str, str], str, str]]:
    """Every value, colour and B-frame setting of a codec, with pixel aspects and orientations in turn."""
    for number, (value, colour) in enumerate(product(CODECS[codec][1], COLOURS)):
        yield value, colour, ASPECTS[number % 3], [*MATRICES][(number * 3 + number // 6) % 8]


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "suffix"), FILES)
def test_every_codec_and_container_has_the_pixels_of_ffmpeg_or_is_refused(
    tmp_path: Path, codec: str, suffix: str, decoders: list[str]
) -> None:
    for value, colour, aspect, orientation in variants(codec):
        path = write_coded(tmp_path / f"a.{suffix}", codec, value, colour, aspect)
        if suffix in {"mp4", "mov"}:
            path = with_display_matrix(path, orientation, tmp_path / f"b.{suffix}")
        elif codec == "h264" and suffix != "avi" and orientation in MESSAGES:
            path = with_orientation_message(path, orientation, tmp_path / f"b.{suffix}")
        assert_right_or_refused(path, decoders)


@pytest.mark.slow
@pytest.mark.parametrize("colour", COLOURS, ids="-".join)
@pytest.mark.parametrize("b_frames", [0, 3])
def test_every_colour_matrix_and_aspect_of_mp4_has_the_pixels_of_ffmpeg_or_is_refused(
    tmp_path: Path, colour: tuple[str, str], b_frames: int, decoders: list[str]
) -> None:
    for aspect in ASPECTS:
        upright = write_coded(tmp_path / "upright.mp4", "h264", b_frames, colour, aspect, size="192x128")
        for orientation in MATRICES:
            path = with_display_matrix(upright, orientation, tmp_path / "a.mp4")
            expected = reference_frames(path)
            for decoder in decoders:
                right = is_right_or_refused(path, decoder, expected)
                assert right == (decoder == "pyav" or "mirrored" not in orientation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pixel_format", "encoder"),
    [
        ("yuv422p", "libx264"), ("yuv444p", "libx264"), ("yuv420p10le", "libx264"), ("yuv422p10le", "libx264"),
        ("yuv420p10le", "libx265"), ("yuv444p12le", "libx265"), ("gbrp", "ffv1"), ("gray", "ffv1"),
        ("gray10le", "ffv1"), ("yuv411p", "ffv1"), ("yuva420p", "ffv1"), ("yuv420p16le", "ffv1"),
        ("rgb24", "libx264rgb"), ("pal8", "png"), ("yuv422p10le", "prores_ks"), ("yuv444p10le", "ffv1"),
        ("yuv410p", "ffv1"), ("bgr0", "ffv1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("colour", [("smpte170m", "tv"), ("bt709", "tv"), ("bt2020nc", "pc")], ids="-".join)
def test_every_pixel_format_has_the_pixels_of_ffmpeg_or_is_refused(
    tmp_path: Path, pixel_format: str, encoder: str, colour: tuple[str, str], decoders: list[str]
) -> None:
    matrix, colour_range = colour
    is_rgb = pixel_format in {"gbrp", "rgb24", "pal8", "bgr0"}
    options = ["-c:v", encoder, "-pix_fmt", pixel_format, "-color_range", colour_range]
    options += [] if is_rgb else ["-colorspace", matrix]
    filters = "null" if is_rgb else f"scale=out_color_matrix={matrix}:out_range={colour_range},format={pixel_format}"
    path = write_pattern(tmp_path / "a.mkv", *options, "-strict", "-2", filters=filters, frames=4)
    assert_right_or_refused(path, decoders)
