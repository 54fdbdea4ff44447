"""Clips that overlap more than memory allows are read in several passes, and are the same clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, read_clips
from egobench.video.index import read_index
from egobench.video.passes import PlannedClip, split_into_passes
from egobench.video.plan import frames_of_clip

OK = Path(__file__).parents[1] / "fixtures" / "video" / "ok.mp4"
RULE = FrameRule(count=5, short_side=32, min_seconds=0.0)


def overlapping(count: int, rule: FrameRule = RULE) -> list[ClipRequest]:
    """Clips at random times; every third one makes its frames larger."""
    draw = Random(3)
    length = read_index(OK).duration
    starts = [draw.uniform(0, 0.7 * length) for _ in range(count)]
    sides = [rule.short_side + 16 * (number % 3 == 0) for number in range(count)]
    return [
        ClipRequest(f"{number}", OK, start, draw.uniform(start + 0.05, length), replace(rule, short_side=side))
        for number, (start, side) in enumerate(zip(starts, sides, strict=True))
    ]


def planned(requests: list[ClipRequest]) -> list[PlannedClip]:
    index = read_index(OK)
    return [PlannedClip(request, frames_of_clip(index, request)) for request in requests]


def most_kept(clips: list[PlannedClip], frame_bytes: dict[int, int]) -> int:
    """Bytes kept at most, counted frame by frame from the definition."""
    kept = []
    for now in range(len(read_index(OK).times)):
        open_clips = [clip for clip in clips if now <= max(clip.numbers)]
        frames = {(number, clip.request.rule.short_side) for clip in open_clips for number in clip.numbers}
        kept.append(sum(frame_bytes[side] for number, side in frames if number <= now))
    return max(kept)


def test_no_pass_keeps_more_than_it_may_and_every_clip_is_in_one() -> None:
    index = read_index(OK)
    assert (index.width, index.height) == (160, 96)
    # 160 x 96 made smaller to a short side of 32 and of 48, three bytes a pixel.
    frame_bytes = {32: 53 * 32 * 3, 48: 80 * 48 * 3}
    clips, bound = planned(overlapping(60)), 10 * 80 * 48 * 3
    assert most_kept(clips, frame_bytes) > 2 * bound
    passes = split_into_passes(clips, index, bound)
    assert len(passes) > 2
    assert all(most_kept(part, frame_bytes) <= bound for part in passes)
    assert sorted(clip.request.key for part in passes for clip in part) == sorted(clip.request.key for clip in clips)


def test_clips_that_keep_little_at_a_time_share_one_pass_however_many_they_are() -> None:
    length, rule = read_index(OK).duration, FrameRule(2, short_side=32, min_seconds=0.0)
    requests = [
        ClipRequest(f"{number}", OK, length * number / 20, length * (number + 1) / 20, rule) for number in range(20)
    ]
    # Two frames of one clip, and one of the next that begins with the frame at which the first one ends.
    assert len(split_into_passes(planned(requests), read_index(OK), 3 * 53 * 32 * 3)) == 1


def test_a_clip_that_is_larger_than_allowed_has_a_pass_of_its_own() -> None:
    passes = split_into_passes(planned(overlapping(4)), read_index(OK), 1)
    assert [len(part) for part in passes] == [1, 1, 1, 1]


@pytest.mark.parametrize("kept_bytes", [1, 20_000, 60_000])
def test_clips_and_receipts_of_several_passes_are_those_of_one(kept_bytes: int) -> None:
    requests = [*overlapping(12), ClipRequest("late", OK, 99.0, None, RULE)]
    whole = {clip.key: clip for clip in read_clips(OK, requests, resize="pil")}
    parts = {clip.key: clip for clip in read_clips(OK, requests, resize="pil", kept_bytes=kept_bytes)}
    assert whole.keys() == parts.keys() == {request.key for request in requests}
    for key, clip in whole.items():
        other = parts[key]
        if isinstance(clip, FailedClip):
            assert key == "late"
            assert isinstance(other, FailedClip)
            continue
        assert isinstance(other, DecodedClip)
        assert np.array_equal(clip.frames, other.frames)
        assert clip.receipt == other.receipt


def test_clips_come_in_order_of_their_last_frames_in_every_pass() -> None:
    requests = overlapping(12)
    last = {request.key: max(frames_of_clip(read_index(OK), request)) for request in requests}
    order = [last[clip.key] for clip in read_clips(OK, requests, resize="pil")]
    assert order == sorted(order)
