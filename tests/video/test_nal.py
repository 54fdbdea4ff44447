"""Headers written out by hand from ITU-T H.264 7.3.1, H.265 7.3.1.2 and RFC 6386 9.1."""

from __future__ import annotations

import pytest

from egobench.video.nal import display_orientation_message, is_never_displayed, length_prefix_size, unreferenced_layer


def units(*payloads: bytes) -> memoryview:
    """Units, each after its length in four bytes."""
    return memoryview(b"".join(len(one).to_bytes(4) + one for one in payloads))


@pytest.mark.parametrize(
    ("head", "expected"),
    [(0x01, 0), (0x21, None), (0x41, None), (0x61, None), (0x65, None), (0x25, None)],
)
def test_an_h264_slice_is_unreferenced_if_its_idc_is_zero(head: int, expected: int | None) -> None:
    assert unreferenced_layer(units(bytes([head, 0x9A])), "h264", 4) == expected


def test_units_before_the_slice_are_skipped() -> None:
    assert unreferenced_layer(units(b"\x09\x10", b"\x06\x05\x01", b"\x01\x9a\x00"), "h264", 4) == 0


def test_one_referenced_slice_makes_the_picture_referenced() -> None:
    assert unreferenced_layer(units(b"\x01\x9a\x00", b"\x41\x9a\x00"), "h264", 4) is None


def test_a_packet_without_a_slice_is_not_dropped() -> None:
    assert unreferenced_layer(units(b"\x67\x64\x00"), "h264", 4) is None
    assert unreferenced_layer(memoryview(b""), "h264", 4) is None


@pytest.mark.parametrize(("kind", "spared"), [(0, True), (1, False), (8, True), (9, False), (19, False), (21, False)])
def test_an_hevc_slice_is_unreferenced_if_its_type_is_even_and_below_sixteen(kind: int, *, spared: bool) -> None:
    layer = 2
    found = unreferenced_layer(units(bytes([kind << 1, layer + 1, 0x80])), "hevc", 4)
    assert found == (layer + 1 if spared else None)  # nuh_temporal_id_plus1


def test_the_length_of_lengths_is_read_from_the_configuration() -> None:
    assert length_prefix_size("h264", bytes([1, 0x64, 0, 0x1F, 0xFF])) == 4
    assert length_prefix_size("h264", bytes([1, 0x64, 0, 0x1F, 0xFD])) == 2
    assert length_prefix_size("hevc", bytes([1, *[0] * 20, 0xFF, 0])) == 4
    assert length_prefix_size("h264", bytes([0, 0, 0, 1, 0x67])) == 0  # start codes
    assert length_prefix_size("vp9", b"\x01" * 30) == 0
    assert length_prefix_size("h264", None) == 0


def test_an_alternate_reference_frame_of_vp8_is_never_seen() -> None:
    assert is_never_displayed(memoryview(b"\x01\x00"), "vp8")
    assert not is_never_displayed(memoryview(b"\x11\x00"), "vp8")
    assert not is_never_displayed(memoryview(b"\x01\x00"), "h264")


@pytest.mark.parametrize(("codec", "header"), [("h264", b"\x06"), ("hevc", b"\x4e\x01")])
def test_a_display_orientation_message_is_found_among_others(codec: str, header: bytes) -> None:
    long = b"\x05\xff\x02" + b"u" * 257  # type 5, of 255 + 2 bytes
    message = b"\x2f\x03abc"  # type 47, of three bytes
    slice_header = b"\x65\x88" if codec == "h264" else b"\x26\x01\xaf"
    packet = units(header + long + message + b"\x80", slice_header)
    assert display_orientation_message(packet, codec, 4) == b"abc"
    assert display_orientation_message(units(header + long + b"\x80", slice_header), codec, 4) == b""
    assert display_orientation_message(units(slice_header), codec, 4) == b""


@pytest.mark.parametrize(
    "unit", [b"\x06", b"\x06\x2f", b"\x06\xff\xff\xff", b"\x06\x2f\xff\xff\x01", b"\x06" + b"\xff" * 99]
)
def test_a_message_that_is_cut_off_is_none_or_short(unit: bytes) -> None:
    assert len(display_orientation_message(units(unit), "h264", 4)) <= 1
