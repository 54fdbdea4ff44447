"""What is in a video file, packet by packet, without decoding: one demux pass."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from egobench.errors import MissingVideoError, UnreadableVideoError, UnsupportedVideoError
from egobench.video.nal import length_size, unreferenced, unseen

EXACT: Final = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Containers in which a seek lands on the packet it should."""

NO_TIME: Final = -(1 << 62)
"""In place of a time that the container does not give."""

SHORT: Final = 0.25
"""Seconds by which a file may end before the length that its header promises."""

DEFAULT_RATE: Final = 25

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """The packets of a file's video, in decoding order, and what they mean for display.

    Attributes:
        path: The file.
        stream: Number of the stream that is shown.
        container: FFmpeg's name of the container format.
        codec: FFmpeg's name of the codec.
        width: Coded pixels, before any rotation.
        height: Coded pixels, before any rotation.
        unit: Seconds of one unit of ``pts`` and ``dts``.
        pts: Presentation times, ``(n_packets,)``.
        dts: Decoding times, ``(n_packets,)``.
        key: Whether decoding can begin at a packet, ``(n_packets,)``.
        hidden: Whether a packet is never displayed: before an edit list's start or the first key, ``(n_packets,)``.
        droppable: Whether no other packet refers to a packet, ``(n_packets,)``.
        order: Position of each displayed frame's packet, ``(n_frames,)``, in order of display.
        times: Seconds of each displayed frame from the first one, ascending.
        stamped: Whether every packet has a presentation time of its own.
        exact: Whether frames can be found by seeking.
        end: Seconds up to which every frame is there.
        duration: Length in seconds; greater than ``end`` for a file that ends before its header says. Fragmented MP4,
            MPEG-TS and raw streams say nothing, so that one that is cut off is taken for a shorter video.
    """

    path: Path
    stream: int
    container: str
    codec: str
    width: int
    height: int
    unit: Fraction
    pts: Integers
    dts: Integers
    key: Booleans
    hidden: Booleans
    droppable: Booleans
    order: Integers
    times: list[float]
    stamped: bool
    exact: bool
    end: float
    duration: float


class _Packet(NamedTuple):
    pts: int
    dts: int
    duration: int
    key: bool
    hidden: bool
    layer: int


@dataclass(slots=True)
class _Seen:
    packets: list[_Packet]
    broken: bool = False


def open_container(path: Path) -> InputContainer:
    """Open a file.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    if not path.exists():
        raise MissingVideoError(f"{path}: no such video; check the folder of videos, or download the file")
    try:
        return av.open(f"file:{path}")
    except (FFmpegError, OSError) as error:
        raise UnreadableVideoError(
            f"{path}: cannot be opened as a video ({error.strerror}); it is empty, cut off, or another kind of file: "
            "download it again"
        ) from error


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream to show: the first one that is marked as default, else the first; cover art is none.

    Raises:
        UnreadableVideoError: If there is none.
        UnsupportedVideoError: If there is no decoder for it.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise UnreadableVideoError(f"{path}: has no video stream, only sound or cover art; expected a video")
    stream = next((one for one in streams if one.disposition & Disposition.default), streams[0])
    if getattr(stream, "codec_context", None) is None:  # what PyAV has for a codec that it does not know
        raise UnsupportedVideoError(f"{path}: there is no decoder for its video stream; re-encode it as H.264")
    return stream


def build_index(container: InputContainer, stream: VideoStream, path: Path) -> VideoIndex:
    """Read through a file once, without decoding. The container is left at its end.

    Raises:
        UnreadableVideoError: If the stream holds no picture.
    """
    seen = _demux(container, stream)
    key = np.array([one.key for one in seen.packets], bool)
    hidden = np.array([one.hidden for one in seen.packets], bool)
    hidden[: int(np.argmax(key)) if key.any() else len(key)] = True
    if hidden.all():
        raise UnreadableVideoError(f"{path}: its video stream holds no picture to display; download the file again")
    pts = np.array([one.pts for one in seen.packets], np.int64)
    dts = np.array([one.dts for one in seen.packets], np.int64)
    layer = np.array([one.layer for one in seen.packets], np.int64)
    unit = stream.time_base or Fraction(1, DEFAULT_RATE)
    timed = bool((pts != NO_TIME).all())
    order = np.flatnonzero(~hidden)
    if timed:
        order = order[np.argsort(pts[order], kind="stable")]
        times = [float((time - int(pts[order[0]])) * unit) for time in pts[order].tolist()]
        step = float(seen.packets[int(order[-1])].duration * unit)
    else:
        each = seen.packets[0].duration * unit or 1 / (stream.average_rate or Fraction(DEFAULT_RATE))
        times, step = [float(number * each) for number in range(len(order))], float(each)
    first = float(int(pts[order[0]]) * unit) if timed else 0.0
    end = times[-1] + (step or times[-1] / max(len(times) - 1, 1))
    promised = _promised(container, stream, first)
    duration = max(end, promised)
    if not seen.broken and duration - end <= SHORT:
        end = duration = promised if promised > times[-1] else end
    elif timed and seen.packets[-1].dts != NO_TIME:
        # A lost packet is displayed no sooner than it would be decoded, and that is after the last one that is there.
        end = min(end, float((seen.packets[-1].dts + seen.packets[-1].duration) * unit) - first)
    stamped = timed and len(np.unique(pts)) == len(pts)
    return VideoIndex(
        path=path,
        stream=stream.index,
        container=container.format.name,
        codec=stream.codec_context.name,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        unit=unit,
        pts=pts,
        dts=dts,
        key=key,
        hidden=hidden,
        droppable=(layer >= 0) & (layer == layer.max()),
        order=order,
        times=times,
        stamped=stamped,
        exact=stamped and container.format.name in EXACT,
        end=end,
        duration=duration,
    )


def _demux(container: InputContainer, stream: VideoStream) -> _Seen:
    codec = stream.codec_context.name
    size = length_size(codec, stream.codec_context.extradata)
    seen = _Seen([])
    partial = False
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            layer = unreferenced(memoryview(packet), codec, size) if size else None
            seen.packets.append(
                _Packet(
                    NO_TIME if packet.pts is None else packet.pts,
                    NO_TIME if packet.dts is None else packet.dts,
                    packet.duration or 0,
                    packet.is_keyframe,
                    packet.is_discard or unseen(memoryview(packet), codec),
                    -1 if layer is None else layer,
                )
            )
            partial = packet.is_corrupt
    except FFmpegError:
        seen.broken = True
    if partial and len(seen.packets) > 1:
        seen.packets.pop()
        seen.broken = True
    return seen


def _promised(container: InputContainer, stream: VideoStream, first: float) -> float:
    """Length in seconds that the headers give, 0 where they give none."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # FFmpeg shortens the duration of a file that is cut off
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")
    if tag.count(":") == 2:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - first
    if len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base - first
    return 0.0
