"""Batches of rows of questions: with the frames of their clips, or with transcripts in the place of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple, Protocol

import torch

from egobench.errors import TrainingDataError, VideoError
from reference_exo2ego.model.exo2ego import ClipInputs
from reference_exo2ego.model.stages import Stage

from .batches import ClipBatch, MicroBatch
from .question_recipe import Transcripts
from .question_rows import DrawnRow, KindRows, QuestionRow
from .question_words import QuestionWords
from .row_batches import StillBatch, TranscriptBatch
from .row_frames import RowFrames, ViewFrames
from .sampler import TRIES
from .transcripts import slots

FILLERS = "abcdefgh"
"""Words of the tokens of a transcript that hold no event."""

EVENT_TOKENS = 0.75
"""Share of the tokens of a slot that hold an event: not every patch of a frame shows the action."""

WORDS_KEPT = 0.85
"""Share of the words of an event that such a token holds."""


class RowBatches(Protocol):
    """Makes batches of rows."""

    def __call__(self, kind: KindRows, drawn: Sequence[DrawnRow], rng: Random, step: int | None) -> MicroBatch:
        """Make a micro-batch.

        Args:
            kind: The kind of the rows.
            drawn: The rows.
            rng: Generator for everything that the seeds of the rows do not decide.
            step: The step; ``None`` for rows that are validated on.
        """
        ...


class ReadRow(NamedTuple):
    """A row and its frames."""

    row: DrawnRow
    frames: ViewFrames


class FrameBatches:
    """Batches of rows with their frames.

    Args:
        stage: The stage.
        words: Makes words.
        frames: Reads frames.
        blank: Share of the rows whose frames are black.
    """

    def __init__(self, stage: Stage, words: QuestionWords, frames: RowFrames, blank: float) -> None:
        self._stage: Stage = stage
        self._words, self._frames, self._blank = words, frames, blank

    def __call__(self, kind: KindRows, drawn: Sequence[DrawnRow], rng: Random, step: int | None) -> MicroBatch:
        """Make a micro-batch; another row stands in the place of one whose frames cannot be read."""
        views: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
        rows: list[DrawnRow] = []
        unreadable: list[str] = []
        for first_choice in drawn:
            row, pair = self._readable(kind, first_choice, rng, unreadable)
            rows.append(row)
            dark = step is not None and Random(row.seed + 1).random() < self._blank  # noqa: S311
            for frames, view in zip(views, pair, strict=True):
                if view is not None:
                    frames.append(view * 0 if dark else view)
        ego, exo = (torch.stack(frames) if frames else None for frames in views)
        inputs = ClipInputs(self._words.pack(kind.kind, rows), ego, exo)
        batch = StillBatch(self._stage, inputs) if kind.kind.still else ClipBatch(self._stage, inputs)
        return MicroBatch(batch, group=kind.kind.name, unreadable=tuple(unreadable))

    def _readable(self, kind: KindRows, row: DrawnRow, rng: Random, unreadable: list[str]) -> ReadRow:
        """Read the frames of a row, or of the first readable one that is drawn in its place."""
        for _ in range(TRIES):
            try:
                return ReadRow(row, self._frames(kind.kind, *row))
            except VideoError as error:
                unreadable.append(f"{row.row.id}: {error}")
            row = DrawnRow(rng.choice(kind.trained), row.seed)
        raise TrainingDataError(f"{TRIES} clips in a row cannot be read, the last: {unreadable[-1]}")


class TranscriptBatches:
    """Batches of rows with transcripts in the place of frames.

    Args:
        words: Makes words.
        source: The source.
        per_slot: Tokens of a slot, as many as the connector makes of two frames.
    """

    def __init__(self, words: QuestionWords, source: Transcripts, per_slot: int) -> None:
        self._words, self._source, self._per_slot = words, source, per_slot

    def __call__(self, kind: KindRows, drawn: Sequence[DrawnRow], rng: Random, step: int | None) -> MicroBatch:
        """Make a micro-batch; some transcripts are read twice, and the first steps have fewer tokens a slot."""
        times = 2 if step is not None and rng.random() < self._source.twice else 1
        narrow = step is not None and step < self._source.narrow_steps
        per_slot = self._source.narrow if narrow else self._per_slot
        tokens = [
            [token for _ in range(times) for token in self._tokens(kind, row, per_slot, seed)] for row, seed in drawn
        ]
        most = max(len(words) for row in tokens for words in row)
        ids = torch.zeros((len(tokens), len(tokens[0]), most), dtype=torch.long)
        shares = torch.zeros(ids.shape)
        for number, row in enumerate(tokens):
            for place, words in enumerate(row):
                ids[number, place, : len(words)] = torch.tensor(words)
                shares[number, place, : len(words)] = len(words) ** -0.5
        batch = TranscriptBatch(self._words.pack(kind.kind, drawn), ids, shares)
        return MicroBatch(batch, group=kind.kind.name)

    def _tokens(self, kind: KindRows, row: QuestionRow, per_slot: int, seed: int) -> Iterator[list[int]]:
        """Yield the words of each token: as a visual token would, it holds some of what is there."""
        rng = Random(seed)  # noqa: S311
        for slot in slots(kind.kind, row, row.seconds, rng):
            events = [self._words.stems(event) for event in slot]
            for _ in range(per_slot):
                words: list[int] = []
                if events and rng.random() < EVENT_TOKENS:
                    words = [token for token in rng.choice(events) if rng.random() < WORDS_KEPT]
                yield words or self._words.stems([rng.choice(FILLERS)])
