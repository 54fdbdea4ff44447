"""The media of a run: which frames are shown, where videos lie, and whether they have changed since an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from egobench.errors import VideoError
from egobench.model import ModelInfo
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
    """Which frames are shown: the run's number, else the model's, else the task's; ``None`` where none are.

    With a rate the number is the most there may be, :data:`MOST_FRAMES` where the run gives none.
    """
    most = MOST_FRAMES if settings.fps is not None and info.frames.count != 0 else info.frames.count
    count = settings.frames if settings.frames is not None else most
    if settings.control == "blind" or count == 0:
        return None
    return replace(
        task.frames,
        count=task.frames.count if count is None else count,
        short_side=info.frames.short_side or task.frames.short_side,
        fps=settings.fps,
    )


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
            key = f"{clip.video} from {clip.start:g} to {'its end' if clip.end is None else f'{clip.end:g}'} seconds"
            if key not in shared:
                shared[key] = SharedClip(ClipRequest(key, self.path(clip.video), clip.start, clip.end, rule), [])
            shared[key].samples.append(sample)
        return shared
