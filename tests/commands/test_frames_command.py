"""``egobench frames``: what it would take, filling, going on, checking, and what it refuses.

The twelve videos of the navigation task have 24 frames of 64 x 48 pixels; each is one clip of 16 frames. Three of
them show the same: four contents, of which 4 x 16 frames are stored.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from shutil import copyfile
from typing import Any

import pytest

from egobench.plugins import load_task
from egobench.run.media import clip_requests
from egobench.video import FrameStore, read_clips
from tests.cli import egobench
from tests.conftest import Navigation


@pytest.fixture(autouse=True)
def equal_videos(navigation: Navigation) -> None:
    """Make videos of one colour equal to the byte: encoders need not give equal bytes twice."""
    for number in range(4, 12):
        copyfile(navigation.video(number % 4), navigation.video(number))


PIXELS = 64 * 48 * 3
TIMES = 24 * 8
"""Bytes of the display times of a video."""


def frames(navigation: Navigation, *arguments: str) -> subprocess.CompletedProcess[str]:
    out = navigation.root / "frames"
    return egobench("frames", navigation.data, "--videos", navigation.videos, "--out", out, *arguments)


def row(process: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (result,) = json.loads(process.stdout)
    assert isinstance(result, dict)
    return result


def test_a_dry_run_counts_the_bytes_and_writes_nothing(navigation: Navigation) -> None:
    process = frames(navigation, "--dry-run", "--json")
    assert process.returncode == 0, process.stderr
    expected = {"clips": 12, "stored": 0, "files": 4, "frames": 64, "bytes": 64 * PIXELS + 4 * TIMES}
    assert expected.items() <= row(process).items()
    assert not (navigation.root / "frames").exists()


def test_a_store_is_filled_checked_and_found_full_the_second_time(navigation: Navigation) -> None:
    process = frames(navigation, "--workers", "2")
    assert process.returncode == 0, process.stderr
    assert "64 frames of 4 files to decode: 590,592 bytes" in process.stderr.replace("\n", " ")
    again = row(frames(navigation, "--check", "--json"))
    assert (again["stored"], again["added"], again["checked"]) == (12, 0, 12)
    store = FrameStore(navigation.root / "frames")
    for request in clip_requests(navigation.sample_set, navigation.videos):
        (expected,) = read_clips(request.path, [request])
        assert store.read(request).receipt == getattr(expected, "receipt", None)


def test_frames_and_short_side_are_those_that_a_run_is_given(navigation: Navigation) -> None:
    assert row(frames(navigation, "--frames", "4", "--short-side", "24", "--json"))["bytes"] == 4 * 4 * PIXELS / 4
    rule = load_task("vln-qa").frames
    requests = clip_requests(navigation.sample_set, navigation.videos, frames=4, short_side=24)
    assert {request.rule for request in requests} == {replace(rule, count=4, short_side=24)}
    rates = clip_requests(navigation.sample_set, navigation.videos, fps=2.0)
    assert {(request.rule.fps, request.rule.count) for request in rates} == {(2.0, 64)}


def test_a_limit_that_is_too_low_is_refused_in_one_line(navigation: Navigation) -> None:
    process = frames(navigation, "--limit", "0.0005")
    assert process.returncode == 1
    error = process.stderr.splitlines()[-1]
    assert error.startswith("egobench: ")
    assert "64 frames take 590,592 bytes, and 500,000 may be added; nothing was written" in error
    assert not (navigation.root / "frames").exists()


def test_clips_without_a_video_are_named_and_the_others_are_kept(navigation: Navigation) -> None:
    navigation.video(3).unlink()
    process = frames(navigation, "--json")
    assert process.returncode == 1
    result = row(process)
    assert (result["added"] + result["stored"], len(result["failed"])) == (11, 1)
    assert "no such video" in next(iter(result["failed"].values()))
    assert "1 of 12 clips have no frames" in process.stderr


def test_a_store_of_another_version_is_refused_in_one_line(navigation: Navigation) -> None:
    frames(navigation)
    (navigation.root / "frames" / "store.json").write_text('{"version": 0}')
    process = frames(navigation)
    assert process.returncode == 1
    assert "a frame store of version 0; this EgoBench reads version 2" in process.stderr.splitlines()[-1]
