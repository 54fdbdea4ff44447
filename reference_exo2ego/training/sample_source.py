"""Files of training samples as what a stage trains on: rows to words, files to frames, unreadable clips replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from egobench.errors import TrainingDataError, VideoError
from egobench.video import ClipRequest, FailedClip, FrameRule, FrameStore, read_clips
from reference_exo2ego.backbone.frames import clip_sight, squares
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Batch
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import pack

from .batches import ClipBatch, MicroBatch
from .clip_rows import Clip, ClipRows, View
from .clip_text import ClipText, ClipTexts
from .recipe import Recipe, SampleFile, SampleFiles, SampleView, StageRecipe
from .sampler import ClipOrder, micro_size, seed_of

TRIES = 20
"""Clips that are tried in the place of one that cannot be read."""

VIEWS: dict[Stage, set[tuple[str, ...]]] = {
    "init": {("ego",), ("exo",), ("ego", "exo")},
    "stage1": {("exo",)},
    "stage2": {("pair",)},
    "stage3": {("ego",)},
}
"""Views of the files that a stage trains on."""


class FrameReader:
    """Frames of a view, from a frame store or decoded.

    Args:
        config: The model's configuration.
        short_side: Pixels that frames are decoded to.
        store: A frame store; ``None`` to decode.
    """

    def __init__(self, config: Exo2EgoConfig, short_side: int, store: Path | None) -> None:
        self._frames, self._sight = config.frames, clip_sight(config.vision.image_size)
        self._rule = FrameRule(config.frames, short_side=short_side)
        self._store = None if store is None else FrameStore(store)

    def __call__(self, view: View) -> torch.Tensor:
        """The frames, uint8 ``(frames, 3, side, side)``; black ones for text alone, a picture as often as needed.

        Raises:
            VideoError: If they cannot be had.
            FrameStoreError: If the frame store lacks them.
        """
        if view.path is None:
            return torch.zeros((self._frames, 3, self._sight.side, self._sight.side), dtype=torch.uint8)
        frames = self._picture(view.path) if view.modality == "image" else self._decode(view, view.path)
        pictures = squares(frames, self._sight)
        if len(pictures) < self._frames:
            # A picture, or a video of fewer frames than are shown: the last one stays.
            pictures = torch.cat([pictures, pictures[-1:].expand(self._frames - len(pictures), -1, -1, -1)])
        return pictures

    def _decode(self, view: View, path: Path) -> np.ndarray:
        request = ClipRequest(str(path), path, view.start or 0.0, view.end, self._rule)
        if self._store is not None:
            return self._store.read(request).frames
        (clip,) = read_clips(path, [request])
        if isinstance(clip, FailedClip):
            raise clip.error
        return clip.frames

    @staticmethod
    def _picture(path: Path) -> np.ndarray:
        try:
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))[None]
        except (OSError, UnidentifiedImageError) as error:
            raise VideoError(f"{path}: no picture that can be read ({error})") from error


class ShownClip(NamedTuple):
    """A clip with its frames and words."""

    ego: torch.Tensor | None
    exo: torch.Tensor | None
    text: ClipText


class ViewGroup(NamedTuple):
    """Clips that can stand in one batch, for they show the same views.

    Attributes:
        rows: All of them.
        trained: Numbers of those that are trained on.
        held_out: Numbers of those that are validated on.
        order: In which order those that are trained on are shown.
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
        """The part of a step that a process computes."""
        group, turn = self._turn(step)
        numbers = group.order.batch_of(turn)
        size = micro_size(self._batch, processes, self._micro)
        micro_batches: list[MicroBatch] = []
        for first in range(rank * size, self._batch, processes * size):
            clips: list[ShownClip] = []
            unreadable: list[str] = []
            for place in range(first, first + size):
                clips.append(self._readable(group, numbers[place], turn, place, unreadable))
            micro_batches.append(self._micro_batch(clips, unreadable))
        return micro_batches

    def held_out(self) -> Sequence[MicroBatch]:
        """What losses are validated on."""
        micro_batches: list[MicroBatch] = []
        for group in self._groups:
            clips: list[ShownClip] = []
            for number in group.held_out:
                try:
                    clips.append(self._show(group.rows[number]))
                except VideoError:
                    continue
            for first in range(0, len(clips), self._micro):
                micro_batches.append(self._micro_batch(clips[first : first + self._micro], ()))
        return micro_batches

    def _turn(self, step: int) -> tuple[ViewGroup, int]:
        """Whose turn it is, and how often it was before: both kinds of view take turns by their shares."""
        if len(self._groups) == 1:
            return self._groups[0], step
        before = int(step * self._share)
        if int((step + 1) * self._share) > before:
            return self._groups[0], before
        return self._groups[1], step - before

    def _readable(self, group: ViewGroup, number: int, turn: int, place: int, unreadable: list[str]) -> ShownClip:
        """A clip, or the first readable one that is drawn in its place."""
        for attempt in range(TRIES):
            clip = group.rows[group.trained[number]]
            try:
                return self._show(clip)
            except VideoError as error:
                unreadable.append(f"{clip.id}: {error}")
            number = group.order.spare(turn, place, attempt + 1)
        raise TrainingDataError(f"{TRIES} clips in a row cannot be read, the last: {unreadable[-1]}; check the videos")

    def _show(self, clip: Clip) -> ShownClip:
        text = self._texts(clip.turns)
        if text.length > self._longest:
            raise VideoError(f"{text.length} words beside the video; the language model reads {self._longest}")
        ego, exo = (None if view is None else self._frames(view) for view in (clip.ego, clip.exo))
        return ShownClip(ego, exo, text)

    def _micro_batch(self, clips: Sequence[ShownClip], unreadable: Sequence[str]) -> MicroBatch:
        words = pack([(clip.text.before, clip.text.questions) for clip in clips])
        ego = None if clips[0].ego is None else torch.stack([clip.ego for clip in clips if clip.ego is not None])
        exo = None if clips[0].exo is None else torch.stack([clip.exo for clip in clips if clip.exo is not None])
        return MicroBatch(ClipBatch(self._stage, Batch(words, ego, exo)), unreadable=tuple(unreadable))


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
    if views not in VIEWS[stage.name]:
        expected = " or ".join(" and ".join(choice) for choice in sorted(VIEWS[stage.name]))
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


def _group(
    files: Sequence[SampleFile],
    view: SampleView,
    source: SampleFiles,
    stage: StageRecipe,
    seed: int,
    data: Path,
) -> ViewGroup:
    rows = ClipRows(files, data, seed)
    held_out = _hold_out(rows, source.held_out, seed)
    if not held_out.trained:
        raise TrainingDataError(f"{stage.name}: nothing is left to train on; expected more than what is held out")
    trained = held_out.trained
    order = ClipOrder(
        [rows.weights[number] for number in trained],
        [rows.lengths[number] for number in trained] if source.group_lengths else None,
        batch=stage.batch,
        seed=seed_of(seed, stage.name, view),
    )
    return ViewGroup(rows, trained, held_out.validated, order)


class HeldOut(NamedTuple):
    """Numbers of the clips that are trained on, and of those that losses are validated on."""

    trained: list[int]
    validated: list[int]


def _hold_out(rows: ClipRows, count: int, seed: int) -> HeldOut:
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
    return HeldOut(trained, sorted(validated))
