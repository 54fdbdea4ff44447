"""The media of a run: which frames are shown, where videos lie, and whether they have changed since an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from egobench.controls import clips
from egobench.dataset.sampleset import SampleSet
from egobench.errors import MissingVideoError, VideoError
from egobench.model import ModelInfo
from egobench.plugins import load_task
from egobench.run.spec import Settings
from egobench.sample import Clip, Sample
from egobench.task import Task
from egobench.video import ClipRequest, FrameRule, fingerprint, stored_as

MOST_FRAMES = 64
"""Frames per clip at most where frames are taken by rate."""


class SharedClip(NamedTuple):
    """A clip to decode once, and the samples that are about it."""

    request: ClipRequest
    samples: list[Sample]


def frame_rule(task: Task, info: ModelInfo, settings: Settings) -> FrameRule | None:
    """Which frames are shown: the run's number or rate, else the model's, else the task's; ``None`` where none are.

    With a rate the number is the most there may be, :data:`MOST_FRAMES` where the run gives none.
    """
    own = settings.frames is None and settings.fps is None
    most = MOST_FRAMES if settings.fps is not None and info.frames.count != 0 else info.frames.count
    count = settings.frames if settings.frames is not None else most
    if settings.control == "blind" or count == 0:
        return None
    return replace(
        task.frames,
        count=task.frames.count if count is None else count,
        short_side=info.frames.short_side or task.frames.short_side,
        fps=info.frames.fps if own else settings.fps,
    )


def clip_requests(
    sample_set: SampleSet,
    videos: Path,
    *,
    frames: int | None = None,
    fps: float | None = None,
    short_side: int | None = None,
) -> list[ClipRequest]:
    """The distinct clips of a sample set as a run without a control decodes them.

    Args:
        sample_set: The sample set.
        videos: Folder of videos, or of one folder of videos per task.
        frames: Frames per clip; ``None`` for the task's number.
        fps: Frames per second instead, at most ``frames`` of them, or :data:`MOST_FRAMES`.
        short_side: Pixels of a frame's shorter side; ``None`` for the task's.

    Raises:
        PluginError: If the set's task is not installed.
        ValueError: If a number is out of range.
    """
    task = load_task(sample_set.manifest.task)
    rule = replace(
        task.frames,
        count=frames if frames is not None else MOST_FRAMES if fps is not None else task.frames.count,
        fps=fps,
        short_side=task.frames.short_side if short_side is None else short_side,
    )
    shared = VideoFolder(videos, task).share(sample_set.samples, clips(sample_set.samples, None, 0), rule)
    return [replace(clip.request, key=f"{sample_set.name}: {key}") for key, clip in shared.items()]


def check_videos(videos: Path, besides: str = "") -> None:
    """Refuse a folder of videos that is not there, before every clip of it is a problem of its own.

    Args:
        videos: Folder of videos, or of one folder of videos per task.
        besides: What may be done instead, for the message.

    Raises:
        MissingVideoError: If there is no such folder.
    """
    if not videos.is_dir():
        raise MissingVideoError(f"{videos}: no such folder of videos; expected --videos DIR{besides}")


def locate_video(videos: Path, task: Task, video: str) -> Path:
    """Where a video, or its folder of frames, lies: below the task's own folder of videos where there is one.

    Args:
        videos: Folder of videos, or of one folder of videos per task.
        task: The task.
        video: Path of the video below the task's folder of videos.
    """
    folder = videos / task.name
    return stored_as((folder if folder.is_dir() else videos) / video)


@dataclass
class VideoFolder:
    """The videos of one task as they lie on disk now; each file is located and fingerprinted once.

    Attributes:
        folder: Folder of videos, or of one folder of videos per task.
        task: The task.
    """

    folder: Path
    task: Task
    _paths: dict[str, Path] = field(default_factory=dict[str, Path])
    _fingerprints: dict[str, str] = field(default_factory=dict[str, str])

    def path(self, video: str) -> Path:
        """Where a video lies."""
        if video not in self._paths:
            self._paths[video] = locate_video(self.folder, self.task, video)
        return self._paths[video]

    def fingerprint(self, video: str) -> str:
        """A video's fingerprint as it is now; ``""`` where there is no file that could be opened."""
        if video not in self._fingerprints:
            try:
                self._fingerprints[video] = fingerprint(self.path(video))
            except VideoError:
                self._fingerprints[video] = ""
        return self._fingerprints[video]

    def share(self, samples: Iterable[Sample], clips: Mapping[str, Clip], rule: FrameRule) -> dict[str, SharedClip]:
        """One request per distinct clip, by the request's key, in the order of the samples.

        Args:
            samples: The samples.
            clips: The clip that each sample is about, by sample id.
            rule: Which frames are shown.
        """
        shared: dict[str, SharedClip] = {}
        for sample in samples:
            clip = clips[sample.id]
            end = "seconds to its end" if clip.end is None else f"to {_exact(clip.end)} seconds"
            key = f"{clip.video} from {_exact(clip.start)} {end}"
            if key not in shared:
                shared[key] = SharedClip(ClipRequest(key, self.path(clip.video), clip.start, clip.end, rule), [])
            shared[key].samples.append(sample)
        return shared


def _exact(seconds: float) -> str:
    """Seconds as a person writes them, with all the digits that tell them from any other number."""
    return repr(float(seconds)).removesuffix(".0")
