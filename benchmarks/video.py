"""How much processor time the video reader saves, and how near it comes to what cannot be saved.

Usage::

    python benchmarks/video.py [FOLDER [SECONDS [CLIPS [ROUNDS]]]]
    python benchmarks/video.py /tmp/barcode 600 200 3        (the defaults)

Videos of SECONDS seconds, 480p, H.264 with 3 B-frames, key frames every 250 and every 30 frames, are written to FOLDER
unless they are there already. CLIPS one-second clips at random times, 16 frames each at short side 336, are then read

* ``egobench``: by :func:`egobench.video.read_clips`, receipts on;
* ``decord_pil``: by decord, opened for each clip, native frames made smaller by PIL's bicubic filter;
* ``decord_pil_open``: the same, with the reader still open while PIL works, as in VideoLLaMA2's ``process_video``; it
  goes on decoding meanwhile;
* ``decord_own``: by decord, opened for each clip, made smaller by decord itself;

each in a fresh process, ROUNDS times in turn. Printed as JSON: processor seconds (user and system, all threads, imports
left out; medians), how many times more decord takes, and ``over_floor``: ``egobench`` over the floor, which is the
fewest frames that must be decoded, converted and resized, times the cost of each as measured in the same rounds: key
frames, frames that others refer to and frames that none refers to each by their own cost. Then
whether native frames equal those of a plain sequential decode and carry the right timecode, and the memory of one clip
of 180 seconds. ``python benchmarks/video.py crowd FILE 1000`` prints that of a thousand such clips.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from threading import Event
from time import process_time
from typing import Any, Final

import av
import numpy as np
from barcode import make_videos

from egobench.miniego.drawing import timecode
from egobench.video import ClipRequest, DecodedClip, FrameRule, read_clips
from egobench.video.colour import RgbConverter
from egobench.video.index import VideoIndex, main_stream, open_container, read_index
from egobench.video.plan import frames_of_clip, plan_spans
from egobench.video.pyav import PyavReader
from egobench.video.resize import resizer
from egobench.video.sampling import Size, shrunk_size
from egobench.video.self_seeking import import_decoder_package

RULE: Final = FrameRule()
SAMPLE: Final = 1500
"""Packets of a file whose decoding is timed, for the cost of one of each kind: fifty seconds of video."""


def main(folder: Path, seconds: int, clips: int, rounds: int) -> None:
    """Measure and print."""
    files = make_videos(folder, seconds)
    report: dict[str, Any] = {}
    for distance, path in files.items():
        cost: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name in TIMED:
                cost.setdefault(name, []).append(child(name, path, clips))
                sys.stderr.write(f"{path.name} {name}: {cost[name][-1]:.2f} s\n")
        middle = {name: median(values) for name, values in cost.items()}
        report[f"gop{distance}"] = {
            "cpu_seconds": {name: [round(value, 2) for value in values] for name, values in cost.items()},
            "decord_pil_over_egobench": round(middle["decord_pil"] / middle["egobench"], 2),
            "decord_pil_open_over_egobench": round(middle["decord_pil_open"] / middle["egobench"], 2),
            "decord_own_over_egobench": round(middle["decord_own"] / middle["egobench"], 2),
            "over_floor": round(middle["egobench"] / middle["floor"], 3),
            "wrong_frames": child("wrong", path, clips),
            "memory_mb": round(child("memory", path, clips)),
        }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def child(name: str, path: Path, clips: int) -> float:
    """Run one measurement in a fresh process."""
    command = [sys.executable, __file__, name, str(path), str(clips)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - ourselves


def requests(path: Path, clips: int) -> list[ClipRequest]:
    """The clips, at random times."""
    draw = random.Random(11)  # noqa: S311 - clips need no secret
    length = len(read_index(path).times) / 30
    starts = [draw.uniform(0, length - 1) for _ in range(clips)]
    return [ClipRequest(str(number), path, start, start + 1, RULE) for number, start in enumerate(starts)]


def frame_numbers(index: VideoIndex, clip_requests: list[ClipRequest]) -> list[list[int]]:
    """Numbers of the displayed frames of every clip."""
    return [list(frames_of_clip(index, request)) for request in clip_requests]


def timed(work: Callable[[], object]) -> float:
    """Processor seconds that something takes."""
    started = process_time()
    work()
    return process_time() - started


def egobench(path: Path, clips: int) -> float:
    """What our reader takes; opening, indexing and receipts included."""
    clip_requests = requests(path, clips)
    way = resizer("auto")
    way.apply(np.zeros((4, 4, 3), np.uint8), 2, 2)
    return timed(lambda: _consume(read_clips(path, clip_requests)))


def _consume(clips: Iterator[object]) -> None:
    for clip in clips:
        if not isinstance(clip, DecodedClip):
            raise TypeError(f"not decoded: {clip}")


def decord_pil(path: Path, clips: int) -> float:
    """What decord and PIL take when the reader is closed before PIL works."""
    return _decord_then_pil(path, clips, keep_open=False)


def decord_pil_open(path: Path, clips: int) -> float:
    """What decord and PIL take when the reader stays open until the frames are small."""
    return _decord_then_pil(path, clips, keep_open=True)


def _decord_then_pil(path: Path, clips: int, *, keep_open: bool) -> float:
    decord = import_decoder_package("decord")
    way = resizer("pil")
    numbers = frame_numbers(read_index(path), requests(path, clips))

    def work() -> None:
        for frames in numbers:
            reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
            native = reader.get_batch(frames).asnumpy()
            if not keep_open:
                del reader
            size = shrunk_size(Size(native.shape[2], native.shape[1]), RULE.short_side)
            np.stack([way.apply(frame, *size) for frame in native])

    return timed(work)


def decord_own(path: Path, clips: int) -> float:
    """What decord takes when it resizes by itself."""
    decord = import_decoder_package("decord")
    index = read_index(path)
    width, height = shrunk_size(Size(index.width, index.height), RULE.short_side)
    numbers = frame_numbers(index, requests(path, clips))

    def work() -> None:
        for frames in numbers:
            reader = decord.VideoReader(str(path), ctx=decord.cpu(0), width=width, height=height, num_threads=1)
            reader.get_batch(frames).asnumpy()

    return timed(work)


def floor(path: Path, clips: int) -> float:
    """Fewest frames times the cost of each."""
    index = read_index(path)
    numbers = sorted({number for frames in frame_numbers(index, requests(path, clips)) for number in frames})
    packets = [position for run in plan_spans(index, numbers) for position in run.packets]
    kinds, (seconds, frames) = _packet_kinds(index), _decode_seconds(index)
    decoding = sum(seconds[kinds[:SAMPLE] == kind].mean() * (kinds[packets] == kind).sum() for kind in range(3))
    converter = RgbConverter()
    way, size = resizer("auto"), shrunk_size(Size(index.width, index.height), RULE.short_side)
    way.apply(converter.convert(frames[0]), *size)
    per_frame = timed(lambda: [way.apply(converter.convert(frame), *size) for frame in frames]) / len(frames)
    return float(decoding) + per_frame * len(numbers)


def _packet_kinds(index: VideoIndex) -> np.ndarray:
    """0 for a key frame, which takes three times as long as others; 2 for one that nothing refers to; else 1."""
    return np.where(index.key, 0, np.where(index.droppable, 2, 1))


def _decode_seconds(index: VideoIndex) -> tuple[np.ndarray, list[av.VideoFrame]]:
    """Processor seconds of each of the first packets; some of their frames."""
    seconds: list[float] = []
    kept: list[av.VideoFrame] = []
    with open_container(index.path) as container:
        stream = main_stream(container, index.path)
        stream.codec_context.thread_count = 1
        demuxed = zip(range(SAMPLE), container.demux(stream), strict=False)
        for number, packet in [(number, packet) for number, packet in demuxed if packet.size]:
            started = process_time()
            frames = stream.codec_context.decode(packet)
            seconds.append(process_time() - started)
            if number % 5 == 0:
                kept.extend(frames)
    return np.array(seconds), kept


def wrong(path: Path, clips: int) -> float:
    """How many frames are not those of a sequential decode bit by bit, or have another timecode."""
    index = read_index(path)
    shown_numbers = {number for frames in frame_numbers(index, requests(path, clips)) for number in frames}
    with open_container(path) as container, PyavReader(path) as reader:
        decoded = enumerate(container.decode(main_stream(container, path)))
        expected = ((number, frame.to_ndarray(format="rgb24")) for number, frame in decoded if number in shown_numbers)
        frames_read = reader.frames(sorted(shown_numbers), Event())
        bad = 0
        for (number, pixels), shot in zip(expected, frames_read, strict=True):
            same = shot.pixels is not None and number == shot.number and np.array_equal(pixels, shot.pixels)
            bad += not (same and timecode.read(pixels) == (1, number))
    return bad


def memory(path: Path, clips: int) -> float:
    """Megabytes at the peak above what the imports hold, for one clip of 180 seconds."""
    del clips
    return _peak([ClipRequest("long", path, 0, 180, RULE)])


def _peak(requests: list[ClipRequest]) -> float:
    resizer("auto").apply(np.zeros((4, 4, 3), np.uint8), 2, 2)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    _consume(read_clips(requests[0].path, requests))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before / 2**20


def crowd(path: Path, clips: int) -> float:
    """Megabytes at the peak above what the imports hold, for clips of 180 seconds at random times."""
    length, draw = read_index(path).duration, random.Random(5)  # noqa: S311 - as above
    starts = [draw.uniform(0, length - 180) for _ in range(clips)]
    return _peak([ClipRequest(str(number), path, start, start + 180, RULE) for number, start in enumerate(starts)])


TIMED: Final = {
    "egobench": egobench,
    "decord_pil": decord_pil,
    "decord_pil_open": decord_pil_open,
    "decord_own": decord_own,
    "floor": floor,
}
CHILDREN: Final = {**TIMED, "wrong": wrong, "memory": memory, "crowd": crowd}

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments and arguments[0] in CHILDREN:
        sys.stdout.write(f"{CHILDREN[arguments[0]](Path(arguments[1]), int(arguments[2]))}\n")
    else:
        seconds, clips, rounds = (*map(int, arguments[1:]), *(600, 200, 3)[len(arguments[1:]) :])
        main(Path(arguments[0] if arguments else "/tmp/barcode"), seconds, clips, rounds)  # noqa: S108 - a default to be seen
