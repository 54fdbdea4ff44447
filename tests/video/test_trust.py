"""Which frames are believed, worked out by hand on the packets of one group: I P B b, in decoding order."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from av.video.frame import VideoFrame

from egobench.video.facts import read_index
from egobench.video.index import VideoIndex
from egobench.video.trust import Trust

OK: Final = Path(__file__).parents[1] / "fixtures" / "video" / "ok.mp4"


def frame(index: VideoIndex, position: int) -> VideoFrame:
    made = VideoFrame(16, 16)
    made.pts = int(index.pts[position])
    return made


def test_a_frame_is_held_until_every_packet_before_it_has_come_out() -> None:
    index = read_index(OK)
    assert index.pts[0] < index.pts[2] < index.pts[1]  # the third packet is displayed before the second
    trust = Trust(index, 0)
    for position in range(3):
        trust.feed(position)
    assert [one.frame.pts for one in trust.judge(frame(index, 0))] == [index.pts[0]]
    assert trust.judge(frame(index, 2)) == []
    assert [one.frame.pts for one in trust.judge(frame(index, 1))] == [index.pts[2], index.pts[1]]


def test_what_was_decoded_after_a_refused_packet_is_not_believed() -> None:
    index = read_index(OK)
    trust = Trust(index, 0)
    for position in range(3):
        trust.feed(position)
    trust.fail(1)
    assert [one.sound for one in trust.judge(frame(index, 0))] == [True]
    assert trust.judge(frame(index, 2)) == []
    assert [one.sound for one in trust.rest()] == [False]


def test_a_frame_that_was_never_fed_is_ignored() -> None:
    index = read_index(OK)
    trust = Trust(index, 12)
    trust.feed(12)
    assert trust.judge(frame(index, 3)) == []
    assert trust.rest() == []
