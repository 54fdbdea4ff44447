"""Headers written out by hand from ITU-T H.264 7.3.1, H.265 7.3.1.2 and RFC 6386 9.1."""

from __future__ import annotations

import pytest

from egobench.video.nal import is_never_displayed, length_prefix_size, unreferenced_layer


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
