"""Documents of lmms-eval: one per sample of a sample set, with all that is needed to ask and to score it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np

from egobench.controls import clips, seed_of
from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError
from egobench.interop.clips import cached_clip
from egobench.model import FramePolicy, ModelInfo, Prompt
from egobench.prompts import LETTERS, MAX_NEW_TOKENS, SYSTEM, user_turn
from egobench.run.media import VideoFolder, frame_rule
from egobench.run.plan import Part, plan
from egobench.run.spec import Settings
from egobench.sample import Sample
from egobench.video import DecodedClip, FailedClip, FrameRule, read_clips

Placement = Literal["turn", "model"]
"""Where the system prompt goes. ``turn``: the system message of a chat model, or before the question for a model of the
simple kind. ``model``: nowhere, because the model has it as an argument of its own."""

KEY = "egobench"
"""Field of a document of ours, which holds its :class:`Presentation`."""

ANY = FramePolicy()
"""The frame policy of lmms-eval's models: they ask for no number of frames, and get a clip."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How one subset of a sample set is presented to models in lmms-eval.

    Attributes:
        data: Folder of the sample set.
        sha256: Hash of its samples when the tasks were written.
        subset: The subset.
        videos: Folder of videos, or of one such folder a task.
        clips: Folder where clips are kept.
        prompt: Id of the prompt style.
        system: Where the system prompt goes.
        frames: Frames per clip; ``None`` for those of the task.
        short_side: Pixels of a frame's shorter side; ``None`` for those of the task.
        fps: Frames a second of the clips; ``None`` for their true rate.
    """

    data: str
    sha256: str
    subset: str
    videos: str
    clips: str
    prompt: str
    system: Placement
    frames: int | None
    short_side: int | None
    fps: float | None

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @property
    def part(self) -> Part:
        """The part of a run that this is, all its samples asked.

        Raises:
            SampleSetError: If the sample set is gone or was built again with other samples.
        """
        return _part(self)


@dataclass(frozen=True, slots=True)
class ShownClip:
    """The clip that models are shown of a document.

    Attributes:
        path: The lossless clip; ``None`` where no file was needed, or the video cannot be decoded.
        receipt: Which frames it shows; ``None`` where it shows none.
        error: Why the video cannot be decoded; ``None`` where it can.
    """

    path: Path | None = None
    receipt: dict[str, Any] | None = None
    error: str | None = None


Document = Mapping[str, Any]
"""A row of lmms-eval's data set."""


def documents(presentation: Presentation) -> list[dict[str, Any]]:
    """Make the documents of a subset, one per sample in the order of the set.

    Raises:
        SampleSetError: If the sample set is gone or was built again with other samples.
    """
    return [
        {
            KEY: presentation.to_json(),
            "sample": json.dumps(sample.to_json(), ensure_ascii=False),
            "id": sample.id,
            "video": sample.video,
            "question": sample.question,
            "options": list(sample.options),
            "target": sample.answer if sample.target is None else LETTERS[sample.target],
            "cluster": sample.cluster,
        }
        for sample in presentation.part.samples
    ]


def presentation_of(document: Document) -> Presentation:
    """Return how the subset of a document is presented."""
    return _presentation(document[KEY])


def sample_of(document: Document) -> Sample:
    """Return the sample of a document."""
    return Sample.from_json(json.loads(document["sample"]))


def rule_of(presentation: Presentation, policy: FramePolicy = ANY) -> FrameRule | None:
    """Return the frame rule: as the tasks were written, else the model's, else the task's own; ``None`` for none.

    Args:
        presentation: How its subset is presented.
        policy: What the model asks for, where it is one of ours.
    """
    count = policy.count if presentation.frames is None else presentation.frames
    fps = policy.fps if presentation.frames is None else None
    info = ModelInfo("lmms-eval", "", frames=FramePolicy(count, presentation.short_side or policy.short_side, fps))
    return frame_rule(presentation.part.task, info, Settings())


def decode_clip(document: Document, policy: FramePolicy = ANY) -> DecodedClip | FailedClip | None:
    """Decode the frames of a document, the same that ``egobench run`` shows; ``None`` for a model without frames.

    Args:
        document: The document.
        policy: See :func:`rule_of`.
    """
    presentation, sample = presentation_of(document), sample_of(document)
    rule = rule_of(presentation, policy)
    if rule is None:
        return None
    folder = VideoFolder(Path(presentation.videos), presentation.part.task)
    ((request, _),) = folder.share([sample], clips([sample], None, 0), rule).values()
    return next(iter(read_clips(request.path, [request])))


def prompt_of(document: Document, clip: DecodedClip | None) -> Prompt:
    """Make the prompt of a document, the same that ``egobench run`` asks; ``None`` for a prompt without frames."""
    presentation, sample = presentation_of(document), sample_of(document)
    return Prompt(
        frames=clip.frames if clip else np.zeros((0, 1, 1, 3), np.uint8),
        times=clip.times if clip else np.zeros(0),
        system=SYSTEM[presentation.prompt],
        question=sample.question,
        options=sample.options,
        text=user_turn(sample.question, sample.options),
        max_new_tokens=MAX_NEW_TOKENS[presentation.part.subset.protocol],
        seed=seed_of(sample, 0),
        task=presentation.part.task.name,
    )


def shown_clip(document: Document, *, clip: bool) -> ShownClip:
    """Return the clip of a document, decoded when it is first needed in this process.

    Args:
        document: The document.
        clip: Whether the clip is needed as a file.
    """
    presentation = presentation_of(document)
    key = (presentation, document["id"])
    with _lock:
        known = _shown_clips.get(key)
    if known is not None and (known.path is not None or not clip or known.error is not None):
        return known
    decoded = decode_clip(document)
    remembered = remember_clip(document, decoded)
    if clip and isinstance(decoded, DecodedClip):
        path = cached_clip(decoded.frames, decoded.times, Path(presentation.clips), fps=presentation.fps)
        remembered = replace(remembered, path=path)
        with _lock:
            _shown_clips[key] = remembered
    return remembered


def remember_clip(document: Document, decoded: DecodedClip | FailedClip | None) -> ShownClip:
    """Remember which clip was shown of a document, or why none was."""
    if isinstance(decoded, FailedClip):
        remembered = ShownClip(error=f"{type(decoded.error).__name__}: {decoded.error}")
    else:
        remembered = ShownClip(receipt=decoded.receipt.to_json() if decoded else None)
    with _lock:
        _shown_clips[(presentation_of(document), document["id"])] = remembered
    return remembered


def grey_clip(presentation: Presentation) -> Path:
    """Return a grey clip, for a sample whose video cannot be read; the reply to it is dropped.

    Models of lmms-eval fail without a video, or worse, answer without one.
    """
    count = presentation.frames or presentation.part.task.frames.count
    grey = np.full((count, 56, 56, 3), 128, np.uint8)
    return cached_clip(grey, np.arange(count, dtype=float), Path(presentation.clips))


_lock = Lock()
_shown_clips: dict[tuple[Presentation, str], ShownClip] = {}
"""Clips that were shown in this process, by presentation and sample id: lmms-eval asks for the video and for the scores
in separate calls."""


@lru_cache(maxsize=64)
def _presentation(written: str) -> Presentation:
    return Presentation(**json.loads(written))


@lru_cache(maxsize=64)
def _part(presentation: Presentation) -> Part:
    sample_set = SampleSet.read(Path(presentation.data))
    if sample_set.manifest.samples_sha256 != presentation.sha256:
        raise SampleSetError(
            f"{presentation.data} was built again since the tasks were written; run egobench lmms-path again"
        )
    return next(part for part in plan([sample_set], Settings()) if part.subset.name == presentation.subset)
