"""Conversion of decoded frames to RGB: colour matrix and range are named to the scaler, never left to its defaults.

The conversion is that of ffmpeg's command line (``scale`` with its bicubic filter, ``-pix_fmt rgb24``), bit by bit, in
every version of PyAV that is allowed; PyAV's own conversion takes BT.601's matrix for every video before version 17.
"""

# PyAV has half of its types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

MATRICES: Final = {
    1: "bt709", 2: "smpte170m", 4: "fcc", 5: "smpte170m", 6: "smpte170m", 7: "smpte240m", 9: "bt2020",
}  # fmt: skip
"""The scaler's name of a matrix by its number in ITU-T H.273, table 4; 2 is "unspecified", which ffmpeg takes as
BT.601. Of the others YCgCo, the constant-luminance ones and ICtCp are known to no version of the scaler."""

FULL_RANGE: Final = 2
"""FFmpeg's number of the full range (``pc``); 1 is the limited range (``tv``), 0 unspecified."""

_FULL_BY_DEFAULT: Final = ("gray", "ya", "mono")
_TICK: Final = Fraction(1, 1000)


class ColourCoding(NamedTuple):
    """How the samples of a frame are to be read.

    Attributes:
        pixel_format: FFmpeg's name, e.g. ``"yuv420p"``.
        matrix: The scaler's name of the colour matrix; ``""`` for RGB, which needs none.
        full_range: Whether 0 and 255 are black and white, instead of 16 and 235.
    """

    pixel_format: str
    matrix: str
    full_range: bool

    @property
    def range(self) -> str:
        """The scaler's name of the range."""
        return "pc" if self.full_range else "tv"


def colour_coding_of(frame: VideoFrame) -> ColourCoding:
    """Read matrix and range from a frame.

    Raises:
        ValueError: If its colour matrix is none that can be converted.
    """
    pixel_format = frame.format.name
    if frame.format.is_rgb or frame.format.has_palette:
        return ColourCoding(pixel_format, "", full_range=True)
    is_grey = pixel_format.startswith(_FULL_BY_DEFAULT)
    full_range = frame.color_range == FULL_RANGE or pixel_format.startswith("yuvj")
    matrix = "smpte170m" if is_grey else MATRICES.get(frame.colorspace)
    if matrix is None:
        raise ValueError(f"no conversion is known for its colour matrix, number {frame.colorspace} of ITU-T H.273")
    return ColourCoding(pixel_format, matrix, full_range or (is_grey and not frame.color_range))


class _Conversion(NamedTuple):
    source: FilterContext
    sink: FilterContext
    graph: Graph


class RgbConverter:
    """Converts frames to RGB; set up once for many frames of one coding and size."""

    def __init__(self) -> None:
        self._conversions: dict[tuple[ColourCoding, int, int], _Conversion] = {}

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """Return the pixels of a frame as they are stored: uint8 RGB ``(height, width, 3)``.

        Raises:
            ValueError: If its colours cannot be converted.
        """
        key = (colour_coding_of(frame), frame.width, frame.height)
        try:
            if key not in self._conversions:
                self._conversions[key] = _set_up(*key)
            conversion = self._conversions[key]
            conversion.source.push(frame)
            converted = conversion.sink.pull()
        except FFmpegError as error:
            raise ValueError(f"its pixels cannot be converted from {key[0].pixel_format} ({error.strerror})") from error
        if not isinstance(converted, VideoFrame):
            raise TypeError(f"the scaler gave {type(converted).__name__}")
        pixels: np.ndarray = converted.to_ndarray()
        return pixels


def _set_up(coding: ColourCoding, width: int, height: int) -> _Conversion:
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=VideoFormat(coding.pixel_format), time_base=_TICK)
    colours = f":in_color_matrix={coding.matrix}:in_range={coding.range}:out_range=pc" if coding.matrix else ""
    scale, rgb = graph.add("scale", f"flags=bicubic:threads=1{colours}"), graph.add("format", "pix_fmts=rgb24")
    sink = graph.add("buffersink")
    graph.link_nodes(source, scale, rgb, sink).configure()
    return _Conversion(source, sink, graph)
