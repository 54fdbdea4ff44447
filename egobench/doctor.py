"""Whether the videos that sample sets speak of are there, readable, and long enough for every clip."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError, bare_reason
from egobench.observer import Observer, SilentObserver
from egobench.plugins import load_task
from egobench.run.media import locate_video
from egobench.sample import Sample
from egobench.task import Task
from egobench.video.check import FileCheck, check_files, read_checks
from egobench.video.files import is_file, is_folder
from egobench.video.folder import holds_frames

EXPECTED: Final = "videos.json"
"""Beside ``samples.jsonl`` where a task knows it: ``{video: {"seconds": 12.3, "fps": 59.94}}`` of the annotation."""

LATE: Final = 0.5
"""Seconds by which a clip may end after its video; what is shown ends with the video."""

Layout = Literal["file", "frame folder", "frame archive", "chunk folder", "clip by id", "missing"]
"""How a video is stored. The video reader reads files, and folders of ``frame_0000000001.jpg`` and its like."""

_IMAGES: Final = {".jpg", ".jpeg", ".png"}
_VIDEOS: Final = (".mp4", ".MP4", ".mkv", ".webm", ".mov", ".avi")


@dataclass(slots=True)
class VideoHealth:
    """One video that a sample set needs.

    Attributes:
        set: The sample set, e.g. ``"egomcq/paper"``.
        video: Its path below the folder of videos.
        layout: How it is stored.
        samples: Samples that ask about it.
        answerable: Those whose frames can be had.
        problems: What is wrong, by kind; the first example in words.
        check: What was found out about the file, ``None`` where there is none that can be read.
    """

    set: str
    video: str
    layout: Layout
    samples: int
    answerable: int = 0
    problems: dict[str, str] = field(default_factory=dict[str, str])
    check: FileCheck | None = None


@dataclass(frozen=True, slots=True)
class SetHealth:
    """One sample set.

    Attributes:
        set: Its name, e.g. ``"egomcq/paper"``.
        layout: How its videos are stored, in words.
        needed: Videos that it needs.
        found: Those that are there in any layout.
        readable: Those that can be opened.
        samples: Its samples.
        answerable: Those whose frames can be had.
        problems: Videos by kind of problem.
    """

    set: str
    layout: str
    needed: int
    found: int
    readable: int
    samples: int
    answerable: int
    problems: Mapping[str, int]

    @property
    def coverage(self) -> float:
        """Share of the samples whose frames can be had, in [0, 1]."""
        return self.answerable / self.samples


@dataclass(frozen=True, slots=True)
class Health:
    """What the doctor says.

    Attributes:
        sets: A line a sample set.
        videos: A line a video of a sample set.
        unchanged: Files that were looked at before and have not changed since.
    """

    sets: tuple[SetHealth, ...]
    videos: tuple[VideoHealth, ...]
    unchanged: int

    @property
    def coverage(self) -> float:
        """Coverage of the sample set that is covered least, in [0, 1]."""
        return min((one.coverage for one in self.sets), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "coverage": self.coverage,
            "unchanged": self.unchanged,
            "sets": [{**asdict(one), "coverage": one.coverage} for one in self.sets],
            "videos": [asdict(one) for one in self.videos],
        }


@dataclass(frozen=True, slots=True)
class _Needed:
    task: Task
    name: str
    video: str
    path: Path
    samples: tuple[Sample, ...]
    expected: Mapping[str, float]


def examine(
    sets: Sequence[tuple[Path, SampleSet]],
    videos: Path,
    kept: Path,
    *,
    workers: int = 1,
    decode: bool = False,
    observer: Observer | None = None,
) -> Health:
    """Look at every video of some sample sets.

    Args:
        sets: Sample sets with the folders they were read from.
        videos: Folder of videos, or of one such folder a task.
        kept: File that keeps what was found out; made if it is not there.
        workers: Threads, at least 1.
        decode: Decode every frame; otherwise only the files' indexes are read.
        observer: Who is told how it goes.

    Raises:
        ValueError: If ``workers`` is less than 1.
        PluginError: If a task cannot be had.
        StoreError: If ``kept`` cannot be written.
        SampleSetError: If a ``videos.json`` is damaged.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; expected at least 1")
    needed = [video for folder, sample_set in sets for video in _needed(folder, sample_set, videos)]
    stored = [(video, *_stored(video)) for video in needed]
    files = sorted({video.path for video, _, hint in stored if not hint})
    known, checks, observer = read_checks(kept), dict[str, FileCheck](), observer or SilentObserver()
    observer.begin("videos", len(files), 0)
    for check in check_files(files, known, kept, workers=workers, decode=decode):
        checks[check.path] = check
        observer.advance(1)
    healths = [_health(video, layout, hint, checks.get(str(video.path))) for video, layout, hint in stored]
    names = list(dict.fromkeys(health.set for health in healths))
    summaries = tuple(_summary(name, needed, [health for health in healths if health.set == name]) for name in names)
    unchanged = sum(known.get(path) is check for path, check in checks.items())
    return Health(summaries, tuple(healths), unchanged)


def _needed(folder: Path, sample_set: SampleSet, videos: Path) -> Iterator[_Needed]:
    task = load_task(sample_set.manifest.task)
    expected = _expected(folder / EXPECTED)
    by_video: dict[str, list[Sample]] = {}
    for sample in sample_set.samples:
        by_video.setdefault(sample.video, []).append(sample)
    for video, samples in by_video.items():
        path = locate_video(videos, task, video)
        yield _Needed(task, sample_set.name, video, path, tuple(samples), expected.get(video, {}))


def _expected(path: Path) -> dict[str, dict[str, float]]:
    if not path.is_file():
        return {}
    try:
        listed = json.loads(path.read_bytes())
        return {video: {key: float(value) for key, value in facts.items()} for video, facts in listed.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SampleSetError(
            f"{path} is damaged ({bare_reason(error)}); expected seconds and fps by video; build the set again"
        ) from error


# --- What is stored where --------------------------------------------------------------------------------------------


def _stored(needed: _Needed) -> tuple[Layout, str]:
    """How a video is stored, and what to say of it where it cannot be read as it is."""
    path, first = needed.path, needed.samples[0].id
    if is_file(path) or (os.path.lexists(path) and not is_folder(path)):
        return "file", ""  # also a pipe or a loop of links, of which its check says what it is
    if holds_frames(path):
        return "frame folder", ""
    stem, frames = path.with_suffix(""), path.parent / "rgb_frames" / path.stem
    for folder in (path, stem, frames):
        for inside in _some(folder):
            layout = _layout_of(inside, first)
            if layout:
                return layout, f"{folder} holds no whole video but {inside.name} and its like"
    archive = next((one for one in (stem.with_suffix(".tar"), frames.with_suffix(".tar")) if is_file(one)), None)
    if archive:
        return "frame archive", f"{archive} holds single frames: unpack it into {archive.with_suffix('')}"
    pieces = (folder / f"{first}{suffix}" for folder in (path.parent, stem) for suffix in _VIDEOS)
    clip = next((one for one in pieces if one.stem != path.stem and is_file(one)), None)
    if clip:
        return "clip by id", f"{clip.parent} holds no whole video but {clip.name} and its like"
    other = next((one for one in map(path.with_suffix, _VIDEOS) if is_file(one)), None)
    return "missing", f"there is {other}: rename or link it" if other else "download it or check the folder of videos"


def _layout_of(inside: Path, first: str) -> Layout | None:
    """The layout of a folder that stands for a video, by one thing that is in it."""
    if inside.suffix.lower() in _IMAGES:
        return "frame folder"
    if inside.suffix not in _VIDEOS:
        return None
    source = first.rpartition("_")[0]
    return "clip by id" if inside.stem == first or (source and inside.stem.startswith(f"{source}_")) else "chunk folder"


def _some(folder: Path) -> list[Path]:
    """A few of the things in a folder; it may hold a hundred thousand frames."""
    try:
        return list(islice(folder.iterdir(), 10))
    except OSError:
        return []


# --- What it means for the samples -----------------------------------------------------------------------------------


def _health(needed: _Needed, layout: Layout, hint: str, check: FileCheck | None) -> VideoHealth:
    health = VideoHealth(needed.name, needed.video, layout, len(needed.samples), check=check)
    if layout == "missing":
        health.problems["missing"] = f"{needed.path}: no such video; {hint}"
    elif check is None:
        health.problems[layout] = f"{hint}; expected {needed.path} or a folder of frame_0000000001.jpg and its like"
    elif check.error:
        health.problems["unreadable"] = check.error
    else:
        # The annotations give the rate of the camera, and frames may have been taken out at another.
        rateless = {key: value for key, value in needed.expected.items() if key != "fps"}
        health.problems.update(_notes(check, needed.expected if layout == "file" else rateless))
        for sample in needed.samples:
            kind, problem = _fault(sample, needed.task, check)
            if problem:
                health.problems.setdefault(kind, problem)
            health.answerable += kind in {"", "clip ends late"}
    return health


def _fault(sample: Sample, task: Task, check: FileCheck) -> tuple[str, str]:
    """What keeps a sample from its frames, by kind and in words; a clip that ends late keeps them."""
    where = f"{check.path}: sample {sample.id!r}"
    if sample.start >= check.seconds:
        return "too short", f"{where} starts at {sample.start:g} s, but the video ends at {check.seconds:.3f} s"
    moments = task.frames.moments(sample.start, sample.end, check.seconds)
    if check.intact < check.seconds and moments[-1] >= check.intact:
        return "cut off", f"{where} needs {moments[-1]:.3f} s, but the file is cut off at {check.intact:.3f} s"
    for start, end in check.damaged:
        if any(start <= moment < end for moment in moments):
            return "damaged", f"{where} needs a frame between {start:.3f} and {end:.3f} s, which cannot be decoded"
    if sample.end is not None and sample.end > check.seconds + LATE:
        return "clip ends late", f"{where} ends at {sample.end:g} s, but the video ends at {check.seconds:.3f} s"
    return "", ""


def _notes(check: FileCheck, expected: Mapping[str, float]) -> dict[str, str]:
    """What is worth knowing of a file that can be read."""
    notes = {
        "variable frame rate": (check.variable_rate, f"{check.fps:.3f} frames per second on average"),
        "turned picture": (bool(check.turned), f"{check.turned}; shown upright"),
        "oblong pixels": (bool(check.pixel_aspect), f"pixels of {check.pixel_aspect}; shown square"),
        "edit list": (check.edit_list, "hides frames; second 0 is the first frame that is displayed"),
        "cut-off file": (check.intact < check.seconds, f"ends at {check.intact:.3f} of {check.seconds:.3f} s"),
        "damaged stretch": (bool(check.damaged), f"cannot be decoded: {check.damaged}"),
    }
    problems = {kind: f"{check.path}: {words}" for kind, (holds, words) in notes.items() if holds}
    seconds, fps = expected.get("seconds"), expected.get("fps")
    if seconds is not None and abs(check.seconds - seconds) > max(1.0, 0.01 * seconds):
        problems["other length"] = f"{check.path}: lasts {check.seconds:.3f} s, {seconds:g} s in the annotation"
    if fps is not None and abs(check.fps - fps) > 0.01 * fps:
        problems["other frame rate"] = f"{check.path}: {check.fps:.3f} frames per second, {fps:g} in the annotation"
    return problems


def _summary(name: str, needed: Iterable[_Needed], videos: Sequence[VideoHealth]) -> SetHealth:
    samples = [sample for one in needed if one.name == name for sample in one.samples]
    whole = all(sample.start == 0 and sample.end is None for sample in samples)
    layouts = Counter(one.layout for one in videos if one.layout != "missing")
    words = {"file": "pre-cut clips" if whole else "whole files", "clip by id": "clips by id"}
    return SetHealth(
        set=name,
        layout=", ".join(f"{count} {words.get(layout, f'{layout}s')}" for layout, count in layouts.most_common())
        or "none found",
        needed=len(videos),
        found=sum(one.layout != "missing" for one in videos),
        readable=sum(one.check is not None and not one.check.error for one in videos),
        samples=len(samples),
        answerable=sum(one.answerable for one in videos),
        problems=dict(Counter(kind for one in videos for kind in one.problems).most_common()),
    )
