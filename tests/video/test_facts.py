"""What is said of files without decoding them."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from egobench.errors import MissingVideoError, UnreadableVideoError
from egobench.video import ClipRequest, FrameRule, fingerprint, plan_summary, probe
from egobench.video.pyav import PyavReader

VIDEOS: Final = Path(__file__).parents[1] / "fixtures" / "video"


def test_facts_of_a_plain_file() -> None:
    facts = probe(VIDEOS / "ok.mp4")
    assert (facts.duration, facts.frames, facts.fps) == (2.0, 60, 30.0)
    assert (facts.width, facts.height, facts.codec) == (160, 96, "h264")
    assert facts.seekable
    assert not facts.variable_rate


@pytest.mark.parametrize(
    ("name", "frames", "duration"),
    [
        ("cut_editlist.mp4", 45, 1.5),
        ("ntsc.mp4", 60, 60 * 1001 / 30000),
        ("ok.ts", 60, 2.0),
        ("raw.h264", 60, 2.0),
        ("vfr.mp4", 32, 28672 / 15360),  # as ffprobe gives the stream's duration
        ("trunc_faststart.mp4", 34, 2.0),  # as the index in front promises
    ],
)
def test_frames_and_duration_are_those_displayed(name: str, frames: int, duration: float) -> None:
    facts = probe(VIDEOS / name)
    assert facts.frames == frames
    assert facts.duration == pytest.approx(duration, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "varies"), [("vfr.mp4", True), ("vfr_speed.mp4", True), ("ok.mkv", False), ("ntsc.mp4", False)]
)
def test_a_rate_that_varies_is_told_from_rounded_times(name: str, *, varies: bool) -> None:
    assert probe(VIDEOS / name).variable_rate is varies


@pytest.mark.parametrize("name", ["mpeg4.avi", "ok.ts", "raw.h264"])
def test_files_that_cannot_be_sought_exactly_are_known(name: str) -> None:
    assert not probe(VIDEOS / name).seekable


def test_a_plan_counts_what_reading_then_decodes() -> None:
    path = VIDEOS / "ok.mp4"
    asked = [ClipRequest(str(at), path, at, at + 0.5, FrameRule(count=4)) for at in (0.0, 0.2, 1.5, 2.0)]
    asked += [ClipRequest("lost", VIDEOS / "nowhere.mp4", 0, 1, FrameRule())]
    plan = plan_summary(asked)
    # 0 to 0.5 s: frames 1, 5, 9, 13; 0.2 to 0.7 s: 7, 11, 15, 19; 1.5 to 2 s: 46, 50, 54, 58. 2 s is the end.
    assert (plan.files, plan.clips, plan.frames, plan.failed) == (1, 3, 12, 2)
    with PyavReader(path) as reader:
        list(reader.frames([1, 5, 7, 9, 11, 13, 15, 19, 46, 50, 54, 58], Event()))
        assert plan.decoded == reader.decode_count < 60


def test_a_fingerprint_is_size_time_and_a_hash_of_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = bytes(range(256)) * 1024
    path.write_bytes(content)
    os.utime(path, ns=(5, 5))
    expected = sha256(content[:65536] + content[-65536:]).hexdigest()
    assert fingerprint(path) == f"262144-5-{expected}"


def test_a_fingerprint_changes_with_the_time_and_with_either_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = bytearray(200_000)
    seen: set[str] = set()
    for at, stamp in ((0, 1), (0, 2), (199_999, 2)):
        content[at] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(stamp, stamp))
        seen.add(fingerprint(path))
    os.utime(path, ns=(3, 3))
    seen.add(fingerprint(path))
    assert len(seen) == 4


def test_a_file_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    for ask in (fingerprint, probe):
        with pytest.raises(MissingVideoError, match="nowhere"):
            ask(tmp_path / "nowhere.mp4")
    with pytest.raises(UnreadableVideoError):
        probe(tmp_path)
    with pytest.raises(UnreadableVideoError):
        fingerprint(tmp_path)


def test_importing_the_package_loads_no_decoder() -> None:
    code = "import sys, egobench.video.sampling; print({'av', 'torch', 'PIL', 'numpy'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"


def test_reading_without_resizing_loads_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from egobench.video import *\n"
        f"path = Path({str(VIDEOS / 'ok.mp4')!r})\n"
        "(clip,) = read_clips(path, [ClipRequest('a', path, 0, 1, FrameRule())])\n"
        "print(clip.receipt.resize, 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "none False"
