"""Index of a video file, packet by packet, from one demux pass without decoding."""

# PyAV has half of its types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import re
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

from egobench.errors import UnreadableVideoError, UnsupportedVideoError
from egobench.video.files import video_status
from egobench.video.nal import display_orientation_message, is_never_displayed, length_prefix_size, unreferenced_layer

SEEKABLE_CONTAINERS: Final = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Containers in which a seek lands on the packet it should."""

STAMPED_CONTAINERS: Final = SEEKABLE_CONTAINERS | {"mpegts", "mpeg", "flv", "nut"}
"""Containers that stamp display times. Others, AVI and ASF among them, stamp none, or decoding times in their place."""

PLAYLISTS: Final = {"concat", "dash", "hls", "imf", "rtsp", "sdp"}
"""FFmpeg's names of files that hold no video and name other files, whose content no fingerprint covers."""

ORDER_SAMPLE: Final = 64
"""Packets that are decoded to see whether a file's time stamps are in display order, where that is in doubt."""

NO_TIME: Final = -(1 << 62)
"""In place of a time that the container does not give."""

END_TOLERANCE: Final = 0.25
"""Seconds by which a file may end before the length that its header promises."""

DEFAULT_RATE: Final = 25

_TIME_TAG: Final = re.compile(r"([0-9]{1,6}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)")

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
        time_base: Seconds of one unit of ``pts`` and ``dts``.
        pts: Presentation times, ``(n_packets,)``.
        dts: Decoding times, ``(n_packets,)``.
        key: Whether decoding can begin at a packet, ``(n_packets,)``.
        hidden: Whether a packet is never displayed: before an edit list's start or the first key, ``(n_packets,)``.
        droppable: Whether no other packet refers to a packet, ``(n_packets,)``.
        order: Position of each displayed frame's packet, ``(n_frames,)``, in order of display; in order of decoding
            where packets are not stamped.
        times: Seconds of each displayed frame from the first one, ascending.
        pixel_aspect: Width of a stored pixel over its height.
        turned_by_message: Whether a message with the first picture turns or mirrors all of them.
        stamped: Whether every packet has a presentation time of its own that may be trusted; frames of any other file
            are numbered in the order in which they come out of the decoder.
        seekable: Whether frames can be found by seeking; any other file is read from its beginning.
        intact_until: Seconds up to which every frame is there.
        duration: Length in seconds; greater than ``intact_until`` for a file that ends before its header says.
            Fragmented MP4, MPEG-TS and raw streams say nothing, so that one that is cut off is taken for a shorter
            video.
    """

    path: Path
    stream: int
    container: str
    codec: str
    width: int
    height: int
    time_base: Fraction
    pts: Integers
    dts: Integers
    key: Booleans
    hidden: Booleans
    droppable: Booleans
    order: Integers
    times: list[float]
    pixel_aspect: Fraction
    turned_by_message: bool
    stamped: bool
    seekable: bool
    intact_until: float
    duration: float


class _PacketHeader(NamedTuple):
    pts: int
    dts: int
    duration: int
    key: bool
    hidden: bool
    layer: int
    message: bytes


@dataclass(slots=True)
class _DemuxedPackets:
    headers: list[_PacketHeader]
    cut_off: bool = False


class _DisplayTimes(NamedTuple):
    """Order and times of display.

    Attributes:
        order: Position of each displayed frame's packet.
        times: Seconds of each displayed frame from the first one.
        start: Seconds of the first displayed frame on the container's clock, 0 without time stamps.
        last_step: Seconds for which the last frame says it is displayed.
    """

    order: Integers
    times: list[float]
    start: float
    last_step: float


class _Lengths(NamedTuple):
    intact_until: float
    duration: float


def open_container(path: Path) -> InputContainer:
    """Open a file.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    video_status(path)
    try:
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        raise UnreadableVideoError(
            f"{path}: cannot be opened as a video ({error.strerror}); it is empty, cut off, or another kind of file: "
            "download it again"
        ) from error
    if container.format.name in PLAYLISTS:
        name = container.format.name
        container.close()
        raise UnreadableVideoError(f"{path}: a playlist ({name}) of other files; expected a video file")
    return container


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the stream to show: the first one that is marked as default, else the first; cover art is none.

    Raises:
        UnreadableVideoError: If there is none.
        UnsupportedVideoError: If there is no decoder for it.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise UnreadableVideoError(f"{path}: has no video stream, only sound or cover art; expected a video")
    main = next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])
    if getattr(main, "codec_context", None) is None:  # what PyAV has for a codec that it does not know
        raise UnsupportedVideoError(f"{path}: there is no decoder for its video stream; re-encode it as H.264")
    return main


def read_index(path: Path) -> VideoIndex:
    """Read through a file once, without decoding.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
    """
    with open_container(path) as container:
        stream = main_stream(container, path)
        stream.codec_context.thread_count = 1
        return build_index(container, stream, path)


def build_index(container: InputContainer, stream: VideoStream, path: Path) -> VideoIndex:
    """Read through a file once, without decoding. The container is left at its end.

    Raises:
        UnreadableVideoError: If the stream holds no picture.
    """
    packets = _demux(container, stream)
    headers = packets.headers
    key = np.array([header.key for header in headers], bool)
    hidden = np.array([header.hidden for header in headers], bool)
    hidden[: int(np.argmax(key)) if key.any() else len(key)] = True
    if hidden.all():
        raise UnreadableVideoError(f"{path}: its video stream holds no picture to display; download the file again")
    pts = np.array([header.pts for header in headers], np.int64)
    layer = np.array([header.layer for header in headers], np.int64)
    time_base = stream.time_base or Fraction(1, DEFAULT_RATE)
    stamped = container.format.name in STAMPED_CONTAINERS and _all_distinct(pts)
    if stamped and container.format.name in SEEKABLE_CONTAINERS:
        stamped = not _may_be_decoding_times(stream, pts[~hidden]) or _come_out_in_order(container, stream)
    message = headers[0].message
    changes_message = any(header.message not in {b"", message} for header in headers)
    display = _display_times(stream, time_base, headers, np.flatnonzero(~hidden), stamped=stamped)
    lengths = _lengths(display, _promised_seconds(container, stream, display.start), packets, time_base)
    return VideoIndex(
        path=path,
        stream=stream.index,
        container=container.format.name,
        codec=stream.codec_context.name,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        time_base=time_base,
        pts=pts,
        dts=np.array([header.dts for header in headers], np.int64),
        key=key,
        hidden=hidden,
        droppable=(layer >= 0) & (layer == layer.max()),
        order=display.order,
        times=display.times,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        turned_by_message=bool(message),
        stamped=stamped,
        seekable=stamped and container.format.name in SEEKABLE_CONTAINERS and not changes_message,
        intact_until=lengths.intact_until,
        duration=lengths.duration,
    )


def _demux(container: InputContainer, stream: VideoStream) -> _DemuxedPackets:
    codec = stream.codec_context.name
    prefix_size = length_prefix_size(codec, stream.codec_context.extradata)
    packets = _DemuxedPackets([])
    last_is_partial = False
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            picture = memoryview(packet)
            layer = unreferenced_layer(picture, codec, prefix_size) if prefix_size else None
            packets.headers.append(
                _PacketHeader(
                    NO_TIME if packet.pts is None else packet.pts,
                    NO_TIME if packet.dts is None else packet.dts,
                    packet.duration or 0,
                    packet.is_keyframe,
                    packet.is_discard or is_never_displayed(picture, codec),
                    -1 if layer is None else layer,
                    display_orientation_message(picture, codec, prefix_size) if prefix_size else b"",
                )
            )
            last_is_partial = packet.is_corrupt
    except (FFmpegError, IndexError):  # a stream that begins in mid-file is unknown to PyAV
        packets.cut_off = True
    if last_is_partial and len(packets.headers) > 1:
        packets.headers.pop()
        packets.cut_off = True
    return packets


def _all_distinct(stamps: Integers) -> bool:
    return bool((stamps != NO_TIME).all()) and len(np.unique(stamps)) == len(stamps)


def _may_be_decoding_times(stream: VideoStream, pts: Integers) -> bool:
    """Tell whether frames may change places on output although their times are in the order of decoding."""
    return stream.codec_context.has_b_frames and bool((np.diff(pts) > 0).all())


def _come_out_in_order(container: InputContainer, stream: VideoStream) -> bool:
    """Decode the first packets and tell whether their frames come out in the order in which they went in."""
    context, last = stream.codec_context, -1
    try:
        container.seek(0, stream=stream)
        for position, packet in enumerate(container.demux(stream)):
            packet.pts = position
            for frame in context.decode(packet if packet.size and position < ORDER_SAMPLE else None):
                if frame.pts is None or frame.pts < last:
                    return False
                last = frame.pts
            if not packet.size or position >= ORDER_SAMPLE:
                return True
    except FFmpegError:
        return True  # damage is found again, and named, when frames are decoded
    finally:
        context.flush_buffers()
    return True


def _display_times(
    stream: VideoStream, time_base: Fraction, headers: list[_PacketHeader], displayed: Integers, *, stamped: bool
) -> _DisplayTimes:
    """Return order and times of display.

    Stamped packets are displayed at their presentation times. Without stamps, frames are displayed in the order and at
    the times at which the decoder puts them out: the n-th when the n-th packet is decoded, or a packet later where
    frames may change places; at a constant rate where packets have no decoding times either.
    """
    positions = displayed.tolist()
    stamps = np.array([headers[at].pts if stamped else headers[at].dts for at in positions], np.int64)
    if not stamped and (NO_TIME in stamps or (np.diff(stamps) < 0).any()):
        step = headers[0].duration * time_base or 1 / (stream.average_rate or Fraction(DEFAULT_RATE))
        return _DisplayTimes(displayed, [float(number * step) for number in range(len(displayed))], 0.0, float(step))
    ranks = np.argsort(stamps, kind="stable")
    order, ordered = displayed[ranks], stamps[ranks].tolist()
    start, last_step = float(ordered[0] * time_base), float(headers[int(order[-1])].duration * time_base)
    if not stamped and stream.codec_context.has_b_frames and len(ordered) > 1:
        ordered = [*ordered[1:], 2 * ordered[-1] - ordered[-2]]
    # What float((stamp - first) * time_base) is, twenty times faster.
    first, numerator, denominator = ordered[0], time_base.numerator, time_base.denominator
    times = [(stamp - first) * numerator / denominator for stamp in ordered]
    return _DisplayTimes(order, times, start, last_step)


def _lengths(display: _DisplayTimes, promised: float, packets: _DemuxedPackets, time_base: Fraction) -> _Lengths:
    """Return up to which second every frame is there, and how long the video is, from what its headers promise."""
    times, last = display.times, packets.headers[-1]
    end = times[-1] + (display.last_step or times[-1] / max(len(times) - 1, 1))
    duration = max(end, promised)
    if not packets.cut_off and duration - end <= END_TOLERANCE:
        end = duration = promised if promised > times[-1] else end
    elif last.dts != NO_TIME and NO_TIME not in (header.pts for header in packets.headers):
        # A lost packet is displayed no sooner than it would be decoded, and that is after the last one that is there.
        end = min(end, float((last.dts + last.duration) * time_base) - display.start)
    return _Lengths(end, duration)


def _promised_seconds(container: InputContainer, stream: VideoStream, start: float) -> float:
    """Return the length in seconds that the headers give, 0 where they give none."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # FFmpeg shortens the duration of a file that is cut off
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = _TIME_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    if tag is not None:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - start
    if len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base - start
    return 0.0
