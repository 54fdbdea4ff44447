"""Frames of a row of questions, from a frame store or decoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch

from egobench.errors import TrainingDataError
from egobench.video import ClipRequest, FrameRule
from reference_exo2ego.backbone.frames import clip_sight, squares
from reference_exo2ego.model.configuration import Exo2EgoConfig

from .clip_rows import View
from .question_recipe import RowKind
from .question_rows import QuestionRow
from .reading import clip_request, open_store, read_frames


class ViewFrames(NamedTuple):
    """Frames of both views, uint8 ``(frames, 3, side, side)``; ``None`` for a view that is not shown."""

    ego: torch.Tensor | None
    exo: torch.Tensor | None


def chosen_frames(kind: RowKind, seed: int) -> list[int]:
    """Choose which of a row's frames are shown: of each part of the clip one phase."""
    rng = Random(seed)  # noqa: S311
    return [kind.phases * number + rng.randrange(kind.phases) for number in range(kind.frames)]


class RowFrames:
    """Frames of a row, from a frame store or decoded.

    Args:
        config: The model's configuration.
        store: A frame store; ``None`` to decode.
    """

    def __init__(self, config: Exo2EgoConfig, store: Path | None) -> None:
        self._sight, self._config = clip_sight(config.vision.image_size), config
        self._store = None if store is None else open_store(store)

    def __call__(self, kind: RowKind, row: QuestionRow, seed: int) -> ViewFrames:
        """Read the frames of a row.

        Raises:
            VideoError: If a file cannot be decoded.
            FrameStoreError: If the frame store lacks frames of a clip, or is damaged.
            TrainingDataError: If a sample is no video.
        """
        numbers = chosen_frames(kind, seed)
        ego, exo = (None if view is None else self._frames(kind, view, numbers) for view in (row.ego, row.exo))
        return ViewFrames(ego, exo)

    def requests(self, kind: RowKind, rows: Sequence[QuestionRow]) -> list[ClipRequest]:
        """List the clips that are read of some rows, to fill a frame store with."""
        views = {view for row in rows for view in (row.ego, row.exo) if view is not None}
        return [self._request(kind, view) for view in sorted(views, key=str)]

    def _frames(self, kind: RowKind, view: View, numbers: Sequence[int]) -> torch.Tensor:
        frames = read_frames(self._request(kind, view), self._store)
        return squares(frames[list(numbers)], self._sight, self._config.fit)

    def _request(self, kind: RowKind, view: View) -> ClipRequest:
        if view.path is None or view.modality != "video":
            raise TrainingDataError(f"rows {kind.name}: {view.path or 'a text'} is no video; leave such samples out")
        rule = FrameRule(kind.frames * kind.phases, last=kind.last, short_side=self._sight.side)
        return clip_request(view.path, view.start, view.end, rule)
