"""A video as a head-worn camera might take it, every frame of which carries its own number.

A picture pans, turns and zooms by fractions of a pixel, jumps every few seconds, has a hand moving before it and noise
over it, so that an encoder has the usual work. The number is a timecode strip of
:mod:`egobench.miniego.drawing.timecode`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageDraw

from egobench.miniego.drawing import timecode

WIDTH: Final = 640
HEIGHT: Final = 480
RATE: Final = 30
BITS: Final = 1_000_000
WORLD: Final = 2048
JUMP: Final = 127
"""Frames between two jumps."""

DISTANCES: Final = (250, 30)
"""Frames between two key frames of the videos that benchmarks read: x264's default, and a second."""


def make_videos(folder: Path, seconds: int) -> dict[int, Path]:
    """Write the videos of a length, but for those that are there already.

    Returns:
        The files, by distance of their key frames.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {distance: folder / f"{seconds}s_gop{distance}.mp4" for distance in DISTANCES}
    parts = {path.with_suffix(".part"): distance for distance, path in files.items() if not path.exists()}
    if parts:
        write([*parts.items()], seconds)
    for part in parts:
        part.rename(part.with_suffix(".mp4"))
    return files


def write(paths: Sequence[tuple[Path, int]], seconds: int) -> None:
    """Encode the video once per path: H.264, x264 ``faster``, 3 B-frames, no scene cuts, about 1 Mb/s.

    Args:
        paths: Each with the distance of its key frames, in frames.
        seconds: Length.
    """
    with ExitStack() as stack:
        outputs: list[tuple[OutputContainer, VideoStream]] = []
        for path, distance in paths:
            container = stack.enter_context(av.open(str(path), "w", format="mp4"))
            stream = container.add_stream("libx264", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.bit_rate = BITS
            stream.codec_context.thread_count = 1
            stream.options = {"preset": "faster", "g": str(distance), "bf": "3", "sc_threshold": "0"}
            outputs.append((container, stream))
        for number, planes in enumerate(pictures(seconds * RATE)):
            frame = VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for container, stream in outputs:
                container.mux(stream.encode(frame))
        for container, stream in outputs:
            container.mux(stream.encode(None))


def pictures(count: int) -> Iterator[np.ndarray]:
    """The frames, yuv420p as ``(720, 640)`` uint8."""
    draw = np.random.default_rng(7)
    world = [_world(draw), *(image.resize((WORLD // 2, WORLD // 2)) for image in (_world(draw), _world(draw)))]
    hand = [image.crop((0, 0, 240, 240)) for image in (_world(draw), _world(draw), _world(draw))]
    noise = (draw.normal(size=(HEIGHT + 256, WIDTH + 256)) * 2).round().astype(np.int16)
    mask = Image.new("L", (200, 160))
    ImageDraw.Draw(mask).ellipse((0, 0, 199, 159), fill=255)
    for number in range(count):
        moment = number / RATE
        planes: list[np.ndarray] = []
        for depth, image in enumerate(world):
            scale = 2 if depth else 1
            size = (WIDTH // scale, HEIGHT // scale)
            view = image.transform(size, Image.Transform.AFFINE, _gaze(number, scale), Image.Resampling.BILINEAR)
            place = (int(220 + 120 * math.sin(moment * 2.1)) // scale, int(280 + 12 * math.sin(moment * 3.3)) // scale)
            shape = mask.resize((200 // scale, 160 // scale))
            view.paste(hand[depth].crop((0, 0, *shape.size)), place, shape)
            planes.append(np.array(view))
        down, across = draw.integers(0, 256, 2)
        light = planes[0].astype(np.int16) + noise[down : down + HEIGHT, across : across + WIDTH]
        planes[0] = np.clip(light, 16, 235).astype(np.uint8)
        timecode.draw(planes[0][:, :, None], 1, number)
        for chroma in planes[1:]:
            chroma[: HEIGHT // timecode.SHARE // 2 + 1] = 128
        yield np.concatenate([plane.reshape(-1, WIDTH) for plane in planes])


def _world(draw: np.random.Generator) -> Image.Image:
    """A large picture with detail of every size."""
    light = np.full((WORLD, WORLD), 128.0, np.float32)
    for octave in range(2, 11):
        coarse = draw.normal(size=(1 << octave, 1 << octave)).astype(np.float32) * 50 / 1.5 ** (octave - 2)
        light += np.asarray(Image.fromarray(coarse).resize((WORLD, WORLD), Image.Resampling.BICUBIC))
    image = Image.fromarray(np.clip(light, 16, 235).astype(np.uint8))
    brush = ImageDraw.Draw(image)
    for left, top, size, shade in draw.integers((0, 0, 20, 16), (WORLD, WORLD, 120, 236), (400, 4)).tolist():
        (brush.rectangle if shade % 2 else brush.ellipse)((left, top, left + size, top + size // 2 + 8), fill=shade)
    return image


def _gaze(number: int, scale: int) -> tuple[float, ...]:
    """Where the camera looks, as affine coefficients of PIL's ``transform``, for a plane ``scale`` times smaller."""
    moment, jumps = number / RATE, number // JUMP
    turn = math.radians(10 * math.sin(moment * 0.5) + 2 * math.sin(moment * 6))
    zoom = 1 + 0.2 * math.sin(moment * 0.21)
    right = WORLD / 2 + 350 * math.sin(moment * 0.37) + 110 * math.sin(moment * 1.7) + 15 * math.sin(moment * 9)
    down = WORLD / 2 + 300 * math.sin(moment * 0.29) + 90 * math.sin(moment * 1.3) + 11 * math.sin(moment * 11)
    right += jumps * 7919 % 400 - 200
    down += jumps * 104729 % 360 - 180
    cosine, sine = zoom * math.cos(turn), zoom * math.sin(turn)
    width, height = WIDTH / scale, HEIGHT / scale
    return (
        cosine, -sine, right / scale - cosine * width / 2 + sine * height / 2,
        sine, cosine, down / scale - sine * width / 2 - cosine * height / 2,
    )  # fmt: skip
