"""Rows of questions as the source of a stage: kinds of rows take turns, each with many questions behind one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from egobench.errors import TrainingDataError
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.stages import Stage

from .batches import STAGE_VIEWS, MicroBatch, TrainingStage
from .files import file_digest
from .question_batches import FrameBatches, RowBatches, TranscriptBatches
from .question_recipe import QuestionRows, Transcripts
from .question_rows import DrawnRow, KindRows, RowQuestion, read_rows
from .question_words import QuestionWords
from .row_frames import RowFrames
from .sampler import seed_of
from .transcripts import events_of, narrated


class RowSource:
    """Rows of questions as the source of a stage: kinds take turns, and each step draws its rows anew.

    Args:
        stage: The stage.
        rows: Its rows, by kind.
        turns: Names of the kinds that each step takes, step after step.
        make_batch: Makes batches of rows.
        seed: Seed of all that is drawn.
        digests: SHA-256 of each file of data.
    """

    def __init__(
        self,
        stage: TrainingStage,
        rows: Sequence[KindRows],
        turns: Sequence[Sequence[str]],
        *,
        make_batch: RowBatches,
        seed: int,
        digests: dict[str, str],
    ) -> None:
        self._stage, self._rows, self._turns = stage, {kind.kind.name: kind for kind in rows}, turns
        self._make_batch, self._seed, self.digests = make_batch, seed, digests
        self.steps_per_epoch = max(
            len(kind.trained) / kind.kind.batch / self._turns_per_step(kind.kind.name) for kind in rows
        )

    def micro_batches(self, step: int, rank: int, processes: int) -> Sequence[MicroBatch]:
        """Return the part of a step that a process computes."""
        micro_batches: list[MicroBatch] = []
        for name in self._turns[step % len(self._turns)]:
            kind = self._rows[name]
            rng = Random(seed_of(self._seed, self._stage, name, step))  # noqa: S311 - not secret
            drawn = [DrawnRow(rng.choice(kind.trained), rng.randrange(2**62)) for _ in range(kind.kind.batch)]
            if processes > kind.kind.batch:
                raise TrainingDataError(
                    f"rows {name}: {kind.kind.batch} a step cannot be shared by {processes} processes; raise its batch"
                )
            micro_batches.append(self._make_batch(kind, drawn[rank::processes], Random(rng.random()), step))  # noqa: S311
        return micro_batches

    def held_out(self) -> Sequence[MicroBatch]:
        """Return the batches that losses are validated on."""
        micro_batches: list[MicroBatch] = []
        for kind in self._rows.values():
            for first in range(0, len(kind.held_out), kind.kind.batch):
                drawn = [DrawnRow(row, 0) for row in kind.held_out[first : first + kind.kind.batch]]
                micro_batches.append(self._make_batch(kind, drawn, Random(first), None))  # noqa: S311
        return micro_batches

    def _turns_per_step(self, name: str) -> float:
        """Return how often a step takes a kind, on average."""
        return sum(turn.count(name) for turn in self._turns) / len(self._turns)


def open_rows(source: QuestionRows | Transcripts, data: Path, seed: int) -> list[KindRows]:
    """Read the rows of a source, and hold some of each kind out; the same ones in every stage.

    Raises:
        TrainingDataError: If a kind has none.
        AnnotationError: If a file cannot be read.
    """
    split: list[KindRows] = []
    for kind in source.rows:
        rows = read_rows(kind, data, seed)
        if kind.narrated:
            for row in rows:
                events = events_of(row, row.seconds)
                if events:
                    row.questions.append(RowQuestion(kind.narrated, narrated(events), None, ()))
        ordered = sorted(rows, key=lambda row: seed_of(seed, "held out", row.id))
        count = min(source.held_out, len(rows) // 5)
        split.append(KindRows(kind, ordered[count:], ordered[:count]))
    return split


def open_question_source(
    stage: TrainingStage,
    source: QuestionRows | Transcripts,
    config: Exo2EgoConfig,
    *,
    data: Path,
    store: Path | None,
    tokenizer: Any,
    seed: int,
) -> RowSource:
    """Open the rows of a stage.

    Raises:
        TrainingDataError: If there is nothing to train on, or the stage does not train on such rows.
    """
    if isinstance(source, Transcripts) and stage != "language":
        raise TrainingDataError(f"stage {stage} does not train on {source.kind}")
    rows, words = open_rows(source, data, seed), QuestionWords(tokenizer)
    digests = {file.path: file_digest(data / file.path) for kind in source.rows for file in kind.files}
    if isinstance(source, Transcripts):
        transcripts = TranscriptBatches(words, source, config.token_places)
        return RowSource(stage, rows, source.turns, make_batch=transcripts, seed=seed, digests=digests)
    if stage == "language":
        raise TrainingDataError(f"stage {stage} does not train on {source.kind}")
    _check_views(stage, source)
    batches = FrameBatches(stage, words, RowFrames(config, store), source.blank)
    return RowSource(stage, rows, source.turns, make_batch=batches, seed=seed, digests=digests)


def _check_views(stage: Stage, source: QuestionRows) -> None:
    allowed = STAGE_VIEWS[stage]
    for kind in source.rows:
        views = {file.view for file in kind.files}
        if len(views) != 1 or not views <= allowed:
            raise TrainingDataError(
                f"{stage}, rows {kind.name}: views {', '.join(sorted(views))}; expected one of "
                f"{', '.join(sorted(allowed))} for all of its files"
            )
