"""Film strips: the frames of a receipt, decoded again and laid side by side.

A clip is decoded as in the run, which gives another receipt. A strip is written if both receipts are of the same
frames; it says whether the pixels are the same too, since another version of a decoder may round differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from egobench.controls import alter, clips, seed_of
from egobench.observer import Observer
from egobench.run.media import VideoFolder
from egobench.run.records import Prediction
from egobench.sample import Sample
from egobench.task import Task
from egobench.video import DecodedClip, FrameRule, stream_clips

from ..runs import BoardRun

HEIGHT = 120
"""Height of a strip in pixels."""

GAP = 3
"""Pixels between two frames."""

Proof = Literal["same pixels", "same frames", "other frames"]
"""How far a strip agrees with the receipt of the answer."""


class Strip(NamedTuple):
    """A film strip.

    Attributes:
        name: Its file's name; ``""`` where the frames are others than those of the receipt.
        proof: How far it agrees with the receipt.
    """

    name: str
    proof: Proof


@dataclass(frozen=True)
class StripMaker:
    """Makes film strips of answers.

    Attributes:
        videos: Folder of videos, or of one folder of videos per task.
        out: Folder of the strips.
        observer: Receives the progress.
    """

    videos: Path
    out: Path
    observer: Observer

    def make(
        self, run: BoardRun, task: Task, samples: Sequence[Sample], predictions: Mapping[str, Prediction]
    ) -> dict[str, Strip]:
        """Make the strips of one part of a run.

        Args:
            run: The run.
            task: The part's task.
            samples: All samples of the part, asked or not: a control may exchange their clips.
            predictions: The answers by sample id.

        Returns:
            Strips by sample id; without those whose video cannot be read.
        """
        frames = run.spec.frames.get(task.name)
        answers = {key: prediction for key, prediction in predictions.items() if prediction.receipt is not None}
        if frames is None or not answers:
            return {}
        settings = run.spec.settings()
        folder, rule = VideoFolder(self.videos, task), FrameRule(**frames)
        answered = [sample for sample in samples if sample.id in answers]
        shared = folder.share(answered, clips(samples, settings.control, settings.seed), rule)
        strips: dict[str, Strip] = {}
        self.observer.begin(f"film strips of {run.model}, {task.name}", len(shared), 0)
        with stream_clips([clip.request for clip in shared.values()]) as stream:
            for result in stream:
                self.observer.advance(1)
                if not isinstance(result, DecodedClip):
                    self.observer.warn(str(result.error))
                    continue
                for sample in shared[result.key].samples:
                    order = seed_of(sample, settings.seed)
                    frames_shown = alter(result.frames, settings.control, order)
                    receipt: Mapping[str, Any] = answers[sample.id].receipt or {}
                    strips[sample.id] = self._strip(result, frames_shown, receipt, f"{settings.control}{order}")
        return strips

    def _strip(self, clip: DecodedClip, frames: np.ndarray, receipt: Mapping[str, Any], order: str) -> Strip:
        own = clip.receipt.to_json()
        if list(receipt.get("indices", ())) != own["indices"]:
            return Strip("", "other frames")
        altered = f"-{order}" if frames is not clip.frames else ""
        name = f"{own['sha256'][:20]}{altered}.jpg"
        path = self.out / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            save_strip(frames, path)
        return Strip(name, "same pixels" if receipt.get("sha256") == own["sha256"] else "same frames")


def save_strip(frames: np.ndarray, path: Path) -> None:
    """Write frames side by side as a JPEG file.

    Args:
        frames: uint8 RGB ``(n_frames, height, width, 3)``.
        path: The file.
    """
    from PIL import Image  # noqa: PLC0415 - only where strips are made

    height = min(HEIGHT, frames.shape[1])
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    strip = Image.new("RGB", (len(frames) * (width + GAP) - GAP, height), (128, 128, 128))
    for place, picture in enumerate(_pictures(frames)):
        strip.paste(picture.resize((width, height), Image.Resampling.BICUBIC), (place * (width + GAP), 0))
    strip.save(path, quality=82)


def _pictures(frames: np.ndarray) -> Iterator[Any]:
    from PIL import Image  # noqa: PLC0415 - as above

    return (Image.fromarray(frame) for frame in frames)
