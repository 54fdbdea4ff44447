"""How much processor time a clip takes from the frame store, and how much from its file.

Usage::

    python benchmarks/frame_store.py [FOLDER [SECONDS [CLIPS [ROUNDS]]]]
    python benchmarks/frame_store.py /tmp/barcode 600 200 3        (the defaults)

Videos of SECONDS seconds, 480p, H.264 with 3 B-frames, key frames every 250 and every 30 frames, are written to FOLDER
unless they are there already. CLIPS one-second clips at random times, 16 frames each at short side 336, are

* ``alone``: decoded, each from its file alone, as a reader does that is asked for one clip at a time;
* ``fill``: decoded in one pass and put into a store, in which nothing is yet;
* ``read``: read from that store in random order;
* ``checked``: the same, every frame compared with its checksum and every clip with its receipt;

ROUNDS times in turn. Printed as JSON: processor seconds (user and system, all threads, imports left out; medians), how
many times more ``alone`` and ``fill`` take than ``read``, bytes and frames of the store, and the number of clips whose
frames, times or receipt from the store are not those of decoding.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, Final

import numpy as np
from barcode import make_videos

from egobench.video import ClipRequest, DecodedClip, FrameRule, FrameStore, read_clips
from egobench.video.resize import resizer

RULE: Final = FrameRule()


def main(folder: Path, seconds: int, clips: int, rounds: int) -> None:
    """Measure and print."""
    files = make_videos(folder, seconds)
    resizer("auto").apply(np.zeros((4, 4, 3), np.uint8), 2, 2)  # torch takes its time when it is used first
    draw = random.Random(11)  # noqa: S311 - clips need no secret
    report = {f"gop{distance}": measure(path, seconds, clips, rounds, draw) for distance, path in files.items()}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def measure(path: Path, seconds: int, clips: int, rounds: int, draw: random.Random) -> dict[str, Any]:
    """Measure one file."""
    starts = [draw.uniform(0, seconds - 1) for _ in range(clips)]
    requests = [ClipRequest(str(number), path, start, start + 1, RULE) for number, start in enumerate(starts)]
    cost: dict[str, list[float]] = {"alone": [], "fill": [], "read": [], "checked": []}
    result: dict[str, Any] = {}
    for _ in range(rounds):
        with TemporaryDirectory(dir=path.parent) as name:
            shuffled, folder = draw.sample(requests, len(requests)), Path(name)
            cost["alone"].append(timed(partial(decode_all, shuffled)))
            cost["fill"].append(timed(partial(fill, folder, requests)))
            store = FrameStore(folder)
            cost["read"].append(timed(partial(read_all, store, shuffled, check=False)))
            cost["checked"].append(timed(partial(read_all, store, shuffled, check=True)))
            result["wrong_clips"] = sum(not same(store.read(request), decode(request)) for request in requests)
            result["store_mb"] = round(sum(file.stat().st_size for file in folder.glob("*.frames")) / 1e6, 1)
            result["rows_mb"] = round(sum(file.stat().st_size for file in folder.glob("*.jsonl")) / 1e6, 3)
    middle = {name: median(values) for name, values in cost.items()}
    return {
        "cpu_seconds": {name: [round(value, 3) for value in values] for name, values in cost.items()},
        "read_ms_per_clip": round(1000 * middle["read"] / clips, 3),
        "alone_over_read": round(middle["alone"] / middle["read"], 1),
        "fill_over_read": round(middle["fill"] / middle["read"], 1),
        **result,
    }


def timed(work: Callable[[], object]) -> float:
    """Processor seconds that something takes."""
    started = process_time()
    work()
    return process_time() - started


def decode_all(requests: list[ClipRequest]) -> None:
    """Decode every clip from its file alone."""
    for request in requests:
        decode(request)


def fill(folder: Path, requests: list[ClipRequest]) -> None:
    """Decode all clips in one pass, into a new store."""
    FrameStore(folder).fill(requests)


def read_all(store: FrameStore, requests: list[ClipRequest], *, check: bool) -> None:
    """Read every clip from a store."""
    for request in requests:
        store.read(request, check=check)


def decode(request: ClipRequest) -> DecodedClip:
    """Decode a clip from its file alone."""
    (clip,) = read_clips(request.path, [request])
    if not isinstance(clip, DecodedClip):
        raise TypeError(f"not decoded: {clip}")
    return clip


def same(clip: DecodedClip, expected: DecodedClip) -> bool:
    """Whether two clips have the same frames, times and receipt."""
    equal_pixels = np.array_equal(clip.frames, expected.frames)
    return equal_pixels and np.array_equal(clip.times, expected.times) and clip.receipt == expected.receipt


if __name__ == "__main__":
    arguments = sys.argv[1:] + ["/tmp/barcode", "600", "200", "3"][len(sys.argv) - 1 :]  # noqa: S108 - to be read again
    main(Path(arguments[0]), *map(int, arguments[1:]))
