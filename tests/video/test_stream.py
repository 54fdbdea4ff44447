"""Many files, decoded ahead by threads: order, bound, and what is left over when the consumer goes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import pytest

from egobench.errors import MissingVideoError
from egobench.video import ClipRequest, ClipStream, DecodedClip, FailedClip, FrameRule, read_clips, stream_clips

VIDEOS: Final = Path(__file__).parents[1] / "fixtures" / "video"
NAMES: Final = ("ok.mp4", "nowhere.mp4", "ok.mkv", "zero.mp4", "ok.ts", "vp9.webm")
RULE: Final = FrameRule(count=4, short_side=48)


def requests() -> list[ClipRequest]:
    """Five clips a file, the files in turn."""
    starts = (1.0, 0.0, 0.4, 1.4, 0.8)
    return [ClipRequest(f"{name} {at}", VIDEOS / name, at, at + 0.5, RULE) for at in starts for name in NAMES]


def summary(clip: DecodedClip | FailedClip) -> tuple[str, str]:
    return clip.key, clip.receipt.sha256 if isinstance(clip, DecodedClip) else type(clip.error).__name__


def open_files() -> set[str]:
    """Videos that this process holds open."""
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {str(link) for link in links if VIDEOS in link.parents}


def decoding_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("egobench-decode")]


@pytest.mark.parametrize(("workers", "in_flight"), [(1, 1), (1, 4), (2, 1), (3, 2), (8, 4)])
def test_clips_come_file_by_file_in_the_order_of_requests_whatever_the_threads(workers: int, in_flight: int) -> None:
    asked = requests()
    expected: list[tuple[str, str]] = []
    for name in NAMES:
        path = VIDEOS / name
        expected += map(summary, read_clips(path, [one for one in asked if one.path == path]))
    with stream_clips(asked, workers=workers, in_flight=in_flight) as clips:
        assert [summary(clip) for clip in clips] == expected


@pytest.mark.parametrize(("workers", "in_flight"), [(1, 2), (3, 1), (3, 4)])
def test_threads_stay_ahead_by_no_more_than_the_stated_number_of_clips(workers: int, in_flight: int) -> None:
    most = 0
    with stream_clips(requests(), workers=workers, in_flight=in_flight) as clips:
        for _ in clips:
            until = time.monotonic() + 0.2
            while clips.clips_in_flight < in_flight and time.monotonic() < until and decoding_threads():
                time.sleep(0.001)
            most = max(most, clips.clips_in_flight)
    assert most == in_flight


def test_threads_do_stop_when_enough_clips_are_ready() -> None:
    with stream_clips(requests(), in_flight=3) as clips:
        time.sleep(0.5)
        assert clips.clips_in_flight == 3


def consume(clips: ClipStream, how_many: int) -> None:
    for number, _ in enumerate(clips, 1):
        if number == how_many:
            raise KeyError("the consumer failed")


@pytest.mark.parametrize("how_many", [1, 7])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_consumer_that_raises_leaves_no_thread_and_no_open_file(how_many: int, workers: int) -> None:
    with pytest.raises(KeyError), stream_clips(requests(), workers=workers, in_flight=2) as clips:
        consume(clips, how_many)
    assert decoding_threads() == []
    assert open_files() == set()


def test_a_consumer_that_takes_nothing_leaves_no_thread_and_no_open_file() -> None:
    with stream_clips(requests(), workers=2):
        assert decoding_threads()
    assert decoding_threads() == []
    assert open_files() == set()


def test_readers_are_closed_when_a_file_is_left_half_read() -> None:
    path = VIDEOS / "ok.mp4"
    clips = read_clips(path, [ClipRequest(str(at), path, at, at + 0.5, RULE) for at in (0.0, 1.0)])
    next(clips)
    assert open_files() == {str(path)}
    clips.close()
    assert open_files() == set()


def test_stopping_does_not_wait_for_a_file_that_is_read_from_its_beginning() -> None:
    stop = threading.Event()
    stop.set()
    path = VIDEOS / "ok.ts"
    assert list(read_clips(path, [ClipRequest("a", path, 1.5, 2, RULE)], stop=stop)) == []


def test_a_missing_file_among_others_fails_its_own_clips_only() -> None:
    with stream_clips(requests()) as clips:
        failed = [clip for clip in clips if isinstance(clip, FailedClip)]
    assert {clip.key.split()[0] for clip in failed} == {"nowhere.mp4", "zero.mp4"}
    assert sum(isinstance(clip.error, MissingVideoError) for clip in failed) == 5


def test_what_goes_wrong_in_a_thread_reaches_the_consumer() -> None:
    with stream_clips(requests(), decoder="mplayer") as clips, pytest.raises(ValueError, match="no decoder 'mplayer'"):
        list(clips)


def test_no_requests_give_no_clips() -> None:
    with stream_clips([]) as clips:
        assert list(clips) == []


@pytest.mark.parametrize(("workers", "in_flight"), [(0, 1), (1, 0)])
def test_a_stream_without_threads_or_room_is_refused(workers: int, in_flight: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        stream_clips([], workers=workers, in_flight=in_flight)
