"""Files of training samples as the source of a stage: texts to words, videos to frames, unreadable clips replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from egobench.errors import TrainingDataError, VideoError, bare_reason
from egobench.video import ClipRequest, FrameRule
from reference_exo2ego.backbone.fit import Fit
from reference_exo2ego.backbone.frames import clip_sight, squares
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import ClipInputs
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import pack

from .batches import STAGE_VIEWS, ClipBatch, MicroBatch
from .clip_rows import Clip, ClipRows, View
from .clip_text import ClipText, ClipTexts
from .reading import clip_request, open_store, read_frames
from .recipe import Recipe, SampleFile, SampleFiles, SampleView, StageRecipe
from .sampler import TRIES, ClipOrder, micro_size, seed_of


class FrameReader:
    """Reads the frames of a view, as many as the model is shown, in the size of its encoders.

    Args:
        config: The model's configuration.
        short_side: Pixels that frames are decoded to.
        store: A frame store; ``None`` to decode.
    """

    def __init__(self, config: Exo2EgoConfig, short_side: int, store: Path | None) -> None:
        self._frames, self._sight = config.frames, clip_sight(config.vision.image_size)
        self._fit: Fit = config.fit
        self._rule = FrameRule(config.frames, short_side=short_side, fps=config.fps)
        self._store = None if store is None else open_store(store)

    def __call__(self, view: View) -> torch.Tensor:
        """Read frames, uint8 ``(frames, 3, side, side)``: black ones for text alone, a picture as often as needed.

        Raises:
            VideoError: If the file cannot be decoded.
            FrameStoreError: If the frame store lacks frames of the clip, or is damaged.
        """
        if view.path is None:
            return torch.zeros((self._frames, 3, self._sight.side, self._sight.side), dtype=torch.uint8)
        request = self.request(view)
        frames = self._picture(view.path) if request is None else read_frames(request, self._store)
        pictures = squares(frames, self._sight, self._fit)
        if len(pictures) < self._frames:
            # A picture, or with ``fps`` a short clip: the last frame stays.
            pictures = torch.cat([pictures, pictures[-1:].expand(self._frames - len(pictures), -1, -1, -1)])
        return pictures

    def request(self, view: View) -> ClipRequest | None:
        """Return the request for the frames of a view; ``None`` for a picture, and for text alone."""
        if view.path is None or view.modality != "video":
            return None
        return clip_request(view.path, view.start, view.end, self._rule)

    @staticmethod
    def _picture(path: Path) -> np.ndarray:
        try:
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))[None]
        except (OSError, UnidentifiedImageError) as error:
            raise VideoError(f"{path}: no picture that can be read ({bare_reason(error)})") from error


class LoadedClip(NamedTuple):
    """A clip with the frames of its views, uint8 ``(frames, 3, side, side)``, and its words."""

    ego: torch.Tensor | None
    exo: torch.Tensor | None
    text: ClipText


class ViewGroup(NamedTuple):
    """Clips of the same views, which can stand in one batch.

    Attributes:
        rows: All clips.
        trained: Numbers of the clips to train on.
        held_out: Numbers of the clips to validate on.
        order: Order in which clips of ``trained`` are shown.
    """

    rows: ClipRows
    trained: Sequence[int]
    held_out: Sequence[int]
    order: ClipOrder


class SampleSource:
    """Files of training samples as a source of batches. A step shows clips of one kind of view.

    Args:
        stage: The stage.
        groups: Its clips, by kind of view.
        batch: Clips of a step.
        micro: Clips that a process computes at once, at most.
        frames: Reads frames.
        texts: Makes words.
        longest: Tokens of words that the language model can read beside the video.
    """

    def __init__(
        self,
        stage: Stage,
        groups: Sequence[ViewGroup],
        *,
        batch: int,
        micro: int,
        frames: FrameReader,
        texts: ClipTexts,
        longest: int,
    ) -> None:
        self._stage: Stage = stage
        self._groups, self._batch, self._micro = groups, batch, micro
        self._frames, self._texts, self._longest = frames, texts, longest
        clips = [group.order.per_epoch for group in groups]
        self._share = clips[0] / sum(clips)
        self.steps_per_epoch = sum(clips) / batch
        self.digests = {name: digest for group in groups for name, digest in group.rows.digests.items()}

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:
        """Return the part of a step that a process computes."""
        group, turn = self._turn(step)
        numbers = group.order.batch_of(turn)
        size = micro_size(self._batch, processes, self._micro)
        micro_batches: list[MicroBatch] = []
        for first in range(rank * size, self._batch, processes * size):
            clips: list[LoadedClip] = []
            unreadable: list[str] = []
            for place in range(first, first + size):
                clips.append(self._readable(group, numbers[place], turn, place, unreadable))
            micro_batches.append(self._micro_batch(clips, unreadable))
        return micro_batches

    def held_out(self) -> Sequence[MicroBatch]:
        """Return the batches that losses are validated on."""
        micro_batches: list[MicroBatch] = []
        for group in self._groups:
            clips: list[LoadedClip] = []
            for number in group.held_out:
                try:
                    clips.append(self._load(group.rows[number]))
                except VideoError:
                    continue
            for first in range(0, len(clips), self._micro):
                micro_batches.append(self._micro_batch(clips[first : first + self._micro], ()))
        return micro_batches

    def _turn(self, step: int) -> tuple[ViewGroup, int]:
        """Return the group that a step shows, and how often it was shown before: groups take turns by their shares."""
        if len(self._groups) == 1:
            return self._groups[0], step
        before = int(step * self._share)
        if int((step + 1) * self._share) > before:
            return self._groups[0], before
        return self._groups[1], step - before

    def _readable(self, group: ViewGroup, number: int, turn: int, place: int, unreadable: list[str]) -> LoadedClip:
        """Load a clip, or the first readable one that is drawn in its place."""
        for attempt in range(TRIES):
            clip = group.rows[group.trained[number]]
            try:
                return self._load(clip)
            except VideoError as error:
                unreadable.append(f"{clip.id}: {error}")
            number = group.order.spare(turn, place, attempt + 1)
        raise TrainingDataError(f"{TRIES} clips in a row cannot be read, the last: {unreadable[-1]}; check the videos")

    def _load(self, clip: Clip) -> LoadedClip:
        text = self._texts(clip.turns)
        if text.length > self._longest:
            raise VideoError(f"{text.length} words beside the video; the language model reads {self._longest}")
        ego, exo = (None if view is None else self._frames(view) for view in (clip.ego, clip.exo))
        return LoadedClip(ego, exo, text)

    def _micro_batch(self, clips: Sequence[LoadedClip], unreadable: Sequence[str]) -> MicroBatch:
        words = pack([(clip.text.before, clip.text.questions) for clip in clips])
        ego = None if clips[0].ego is None else torch.stack([clip.ego for clip in clips if clip.ego is not None])
        exo = None if clips[0].exo is None else torch.stack([clip.exo for clip in clips if clip.exo is not None])
        return MicroBatch(ClipBatch(self._stage, ClipInputs(words, ego, exo)), unreadable=tuple(unreadable))


def open_sample_source(
    recipe: Recipe, stage: StageRecipe, data: Path, store: Path | None, tokenizer: Any
) -> SampleSource:
    """Open the files of a stage.

    Raises:
        TrainingDataError: If a file has no samples, or views that the stage does not train on.
    """
    source = stage.source
    if not isinstance(source, SampleFiles) or stage.name == "language":
        raise TrainingDataError(f"stage {stage.name} does not train on files of samples")
    views: tuple[SampleView, ...] = tuple(sorted({file.view for file in source.files}))
    if not views or not STAGE_VIEWS[stage.name].issuperset(views):
        expected = " or ".join(sorted(STAGE_VIEWS[stage.name]))
        raise TrainingDataError(f"{stage.name}: files with view {' and '.join(views) or 'none'}; expected {expected}")
    config = recipe.model
    groups = [
        _group([file for file in source.files if file.view == view], view, source, stage, recipe.seed, data)
        for view in views
    ]
    video = config.tokens * (2 if config.fuse == "token" else 1) + 4
    return SampleSource(
        stage.name,
        groups,
        batch=stage.batch,
        micro=stage.micro,
        frames=FrameReader(config, source.short_side or config.vision.image_size, store),
        texts=ClipTexts(tokenizer),
        longest=config.language.max_position_embeddings - video,
    )


def sample_requests(recipe: Recipe, source: SampleFiles, data: Path) -> Iterator[ClipRequest]:
    """Yield every clip that files of samples show, some more than once.

    Args:
        recipe: The recipe.
        source: The files.
        data: Folder that they are below.

    Raises:
        TrainingDataError: If a file has no samples.
        AnnotationError: If a file cannot be read.
    """
    frames = FrameReader(recipe.model, source.short_side or recipe.model.vision.image_size, None)
    for view in sorted({file.view for file in source.files}):
        rows = ClipRows([file for file in source.files if file.view == view], data, recipe.seed)
        for number in range(len(rows)):
            clip = rows[number]
            requests = (frames.request(shown) for shown in (clip.ego, clip.exo) if shown is not None)
            yield from (request for request in requests if request is not None)


def _group(
    files: Sequence[SampleFile],
    view: SampleView,
    source: SampleFiles,
    stage: StageRecipe,
    seed: int,
    data: Path,
) -> ViewGroup:
    rows = ClipRows(files, data, seed)
    split = _hold_out(rows, source.held_out, seed)
    if not split.trained:
        raise TrainingDataError(f"{stage.name}: nothing is left to train on; expected more than what is held out")
    trained = split.trained
    order = ClipOrder(
        [rows.weights[number] for number in trained],
        [rows.lengths[number] for number in trained] if source.group_lengths else None,
        batch=stage.batch,
        seed=seed_of(seed, stage.name, view),
    )
    return ViewGroup(rows, trained, split.validated, order)


class ClipSplit(NamedTuple):
    """Numbers of the clips to train on, and of those to validate on."""

    trained: list[int]
    validated: list[int]


def _hold_out(rows: ClipRows, count: int, seed: int) -> ClipSplit:
    """Hold out whole videos, at most a fifth of them; the same ones in every stage."""
    clips_of = rows.by_media()
    names = sorted(clips_of, key=lambda name: seed_of(seed, "held out", name))
    validated: list[int] = []
    left_out: set[str] = set()
    for name in names[: max(1, len(names) // 5)] if len(names) > 1 else ():
        if len(validated) < count:
            left_out.add(name)
            validated += clips_of[name]
    if len(validated) > count:
        validated = sorted(validated, key=lambda number: seed_of(seed, "validated", number))[:count]
    trained = sorted(number for name, numbers in clips_of.items() if name not in left_out for number in numbers)
    return ClipSplit(trained, sorted(validated))
