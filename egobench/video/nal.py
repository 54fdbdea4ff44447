"""Headers of coded pictures in H.264, HEVC and VP8: which may be dropped, are never displayed, or turn the picture.

A picture that no other picture refers to can be left out without changing a pixel of the rest: H.264 says so by
``nal_ref_idc`` 0 (ITU-T H.264, 7.4.1), HEVC by the even slice types below 16 (ITU-T H.265, table 7-1) of the highest
temporal sub-layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

H264_SLICES: Final = range(1, 6)
HEVC_SLICES: Final = range(32)
HEVC_UNREFERENCED: Final = range(0, 16, 2)
MESSAGE_UNITS: Final = {"h264": 6, "hevc": 39}
"""Type of the units that hold supplemental enhancement information ahead of a picture."""

DISPLAY_ORIENTATION: Final = 47
"""Type of the message that turns the picture (ITU-T H.264, D.1.27; H.265, D.2.17)."""


def length_prefix_size(codec: str, extradata: bytes | None) -> int:
    """Return the bytes of the length before each unit in a packet; 0 where packets are not made of such units."""
    offset = {"h264": 4, "hevc": 21}.get(codec)
    if offset is None or extradata is None or len(extradata) <= offset or extradata[0] != 1:
        return 0
    return (extradata[offset] & 3) + 1


def unreferenced_layer(packet: memoryview, codec: str, prefix_size: int) -> int | None:
    """Return the temporal sub-layer of a picture that none of its sub-layer refers to; ``None`` for any other picture.

    Args:
        packet: One coded picture.
        codec: ``"h264"`` or ``"hevc"``.
        prefix_size: Its :func:`length_prefix_size`, at least 1.
    """
    layer: int | None = None
    for start in _unit_starts(packet, prefix_size):
        header = packet[start]
        if codec == "h264":
            unit_type, slices, unreferenced, unit_layer = header & 31, H264_SLICES, not header & 0x60, 0
        else:
            unit_type, slices, unit_layer = header >> 1 & 63, HEVC_SLICES, packet[start + 1] & 7
            unreferenced = unit_type in HEVC_UNREFERENCED
        if unit_type in slices:
            if not unreferenced:
                return None
            layer = unit_layer
    return layer


def display_orientation_message(packet: memoryview, codec: str, prefix_size: int) -> bytes:
    """Return the payload of the display orientation message of a picture, ``b""`` where it has none.

    Args:
        packet: One coded picture.
        codec: ``"h264"`` or ``"hevc"``.
        prefix_size: Its :func:`length_prefix_size`, at least 1.
    """
    for start in _unit_starts(packet, prefix_size):
        unit_type = packet[start] & 31 if codec == "h264" else packet[start] >> 1 & 63
        if unit_type in (H264_SLICES if codec == "h264" else HEVC_SLICES):
            return b""  # messages come before the slices of their picture
        if unit_type == MESSAGE_UNITS[codec]:
            length = int.from_bytes(packet[start - prefix_size : start], "big")
            header_size = 1 if codec == "h264" else 2
            messages = _messages(bytes(packet[start + header_size : start + length]))
            payload = next((payload for kind, payload in messages if kind == DISPLAY_ORIENTATION), b"")
            if payload:
                return payload
    return b""


def is_never_displayed(packet: memoryview, codec: str) -> bool:
    """Tell whether a packet is an alternate reference frame of VP8, which is never displayed (RFC 6386, 9.1)."""
    return codec == "vp8" and len(packet) > 0 and not packet[0] & 0x10


def _messages(unit: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and payload of every message; both type and size are sums of bytes of 255 and a last one."""
    start = 0
    while start + 2 < len(unit):
        numbers: list[int] = []
        for _ in range(2):
            number = 0
            while start < len(unit) and unit[start] == 255:
                number, start = number + 255, start + 1
            numbers.append(number + (unit[start] if start < len(unit) else 0))
            start += 1
        yield numbers[0], unit[start : start + numbers[1]]
        start += numbers[1]


def _unit_starts(packet: memoryview, prefix_size: int) -> Iterator[int]:
    start = 0
    while start + prefix_size + 1 < len(packet):
        yield start + prefix_size
        start += prefix_size + int.from_bytes(packet[start : start + prefix_size], "big")
