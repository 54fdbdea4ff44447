"""How much of a coded picture must be known to drop it unseen: H.264, HEVC and VP8 headers.

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


def length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each unit in a packet; 0 where packets are not made of such units."""
    at = {"h264": 4, "hevc": 21}.get(codec)
    if at is None or extradata is None or len(extradata) <= at or extradata[0] != 1:
        return 0
    return (extradata[at] & 3) + 1


def unreferenced(packet: memoryview, codec: str, size: int) -> int | None:
    """The temporal sub-layer of a picture that none of its sub-layer refers to; ``None`` for any other picture.

    Args:
        packet: One coded picture.
        codec: ``"h264"`` or ``"hevc"``.
        size: Its :func:`length_size`, at least 1.
    """
    layer: int | None = None
    for at in _units(packet, size):
        head = packet[at]
        if codec == "h264":
            kind, slices, spared, of = head & 31, H264_SLICES, not head & 0x60, 0
        else:
            kind, slices, of = head >> 1 & 63, HEVC_SLICES, packet[at + 1] & 7
            spared = kind in HEVC_UNREFERENCED
        if kind in slices:
            if not spared:
                return None
            layer = of
    return layer


def unseen(packet: memoryview, codec: str) -> bool:
    """Whether a packet is a picture that is never displayed: VP8's alternate reference frames (RFC 6386, 9.1)."""
    return codec == "vp8" and len(packet) > 0 and not packet[0] & 0x10


def _units(packet: memoryview, size: int) -> Iterator[int]:
    at = 0
    while at + size + 1 < len(packet):
        yield at + size
        at += size + int.from_bytes(packet[at : at + size], "big")
