"""Clips of real files that overlap, and what decoding them gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from egobench.video import ClipRequest, DecodedClip, FrameRule, FrameStore, read_clips
from egobench.video.frame_store.shards import SHARD_BYTES

VIDEOS: Final = Path(__file__).parents[2] / "fixtures" / "video"
NAMES: Final = ("ok.mp4", "vfr.mp4", "rot90.mp4", "ok.ts", "sar43.mp4", "hevc_opengop.mp4")
RULE: Final = FrameRule(count=8, short_side=48)
STARTS: Final = (0.0, 0.1, 0.3, 0.35, 1.0)


def requests(folder: Path = VIDEOS, names: Iterable[str] = NAMES, rule: FrameRule = RULE) -> list[ClipRequest]:
    """Five overlapping clips of every file, in an order that jumps from file to file."""
    return [
        ClipRequest(f"{name} {start}", folder / name, start, start + 0.6, rule) for start in STARTS for name in names
    ]


def open_store(folder: Path, *, shard_bytes: int = SHARD_BYTES) -> FrameStore:
    """Open a store of frames that PIL resizes: processes that need no torch start at once."""
    return FrameStore(folder, resize="pil", shard_bytes=shard_bytes)


def decode(request: ClipRequest) -> DecodedClip:
    """Decode a clip from its file alone."""
    (clip,) = read_clips(request.path, [request], resize="pil")
    assert isinstance(clip, DecodedClip), clip
    return clip


def assert_same(clip: DecodedClip, expected: DecodedClip) -> None:
    """Compare all that a clip consists of."""
    assert clip.frames.dtype == np.uint8
    assert np.array_equal(clip.frames, expected.frames)
    assert np.array_equal(clip.times, expected.times)
    assert (clip.key, clip.receipt) == (expected.key, expected.receipt)


def assert_holds_all(folder: Path, clips: Iterable[ClipRequest]) -> None:
    """Compare every clip, read from a store that is opened afresh, with its file."""
    store = open_store(folder)
    for request in clips:
        assert_same(store.read(request, check=True), decode(request))


def shard_bytes(folder: Path) -> int:
    """Bytes of all shards of a store."""
    return sum(path.stat().st_size for path in folder.glob("*.frames"))


FILLER: Final = """
import os, signal, sys, time
from pathlib import Path
from egobench.observer import SilentObserver
from egobench.video.frame_store import shards
from tests.video.frame_store.clips import open_store, requests

class Observer(SilentObserver):
    def advance(self, steps):
        ADVANCE

PREPARE
store = open_store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
report = store.fill(requests(), observer=Observer())
print(report.stored, report.added, report.frames, flush=True)
"""


def start_filling(folder: Path, *, advance: str = "pass", prepare: str = "") -> subprocess.Popen[str]:
    """Start a process that fills a store with all clips, once a line comes in.

    Args:
        folder: The store.
        advance: What it does after every clip.
        prepare: What it does first.
    """
    code = FILLER.replace("ADVANCE", advance).replace("PREPARE", prepare)
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.append({str(root)!r})\n{code}", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
