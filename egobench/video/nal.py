"""Headers of coded pictures in H.264, HEVC and VP8: which pictures may be dropped, and which are never displayed.

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


def is_never_displayed(packet: memoryview, codec: str) -> bool:
    """Tell whether a packet is an alternate reference frame of VP8, which is never displayed (RFC 6386, 9.1)."""
    return codec == "vp8" and len(packet) > 0 and not packet[0] & 0x10


def _unit_starts(packet: memoryview, prefix_size: int) -> Iterator[int]:
    start = 0
    while start + prefix_size + 1 < len(packet):
        yield start + prefix_size
        start += prefix_size + int.from_bytes(packet[start : start + prefix_size], "big")
