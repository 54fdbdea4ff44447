"""Which frames are believed, worked out by hand on the packets of one group: I P B b, in decoding order."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from av.video.frame import VideoFrame

from egobench.video.damage import DamageTracker
from egobench.video.index import VideoIndex, read_index

OK: Final = Path(__file__).parents[1] / "fixtures" / "video" / "ok.mp4"


def frame(index: VideoIndex, position: int) -> VideoFrame:
    made = VideoFrame(16, 16)
    made.pts = int(index.pts[position])
    return made


def test_a_frame_is_held_until_every_packet_before_it_has_come_out() -> None:
    index = read_index(OK)
    assert index.pts[0] < index.pts[2] < index.pts[1]  # the third packet is displayed before the second
    tracker = DamageTracker(index, 0)
    for position in range(3):
        tracker.feed(position)
    assert [released.frame.pts for released in tracker.receive(0, frame(index, 0))] == [index.pts[0]]
    assert tracker.receive(2, frame(index, 2)) == []
    assert [released.frame.pts for released in tracker.receive(1, frame(index, 1))] == [index.pts[2], index.pts[1]]


def test_what_was_decoded_after_a_refused_packet_is_not_believed() -> None:
    index = read_index(OK)
    tracker = DamageTracker(index, 0)
    for position in range(3):
        tracker.feed(position)
    tracker.mark_damaged(1)
    assert [released.intact for released in tracker.receive(0, frame(index, 0))] == [True]
    assert tracker.receive(2, frame(index, 2)) == []
    assert [released.intact for released in tracker.release_rest()] == [False]


def test_a_frame_that_was_never_fed_is_ignored() -> None:
    index = read_index(OK)
    tracker = DamageTracker(index, 12)
    tracker.feed(12)
    assert tracker.receive(3, frame(index, 3)) == []
    assert tracker.release_rest() == []


def test_frames_that_come_out_in_another_order_than_their_stamps_are_not_believed() -> None:
    index = read_index(OK)
    tracker = DamageTracker(index, 0)
    for position in range(3):
        tracker.feed(position)
    assert [released.intact for released in tracker.receive(0, frame(index, 0))] == [True]
    assert [released.intact for released in tracker.receive(1, frame(index, 1))] == [True]
    assert [released.intact for released in tracker.receive(2, frame(index, 2))] == [False]
    assert tracker.out_of_order
