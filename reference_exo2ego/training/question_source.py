"""Rows of questions as the source of a stage: kinds of rows take turns, each with many questions behind one video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

import torch

from egobench.errors import TrainingDataError, VideoError
from egobench.prompts import SYSTEM, user_turn
from egobench.video import ClipRequest
from reference_exo2ego.backbone.chat import find_chat
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Batch
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.model.words import Question, Words, pack, tokenise

from .batches import STAGE_VIEWS, ClipBatch, MicroBatch, TrainingStage
from .files import file_digest
from .question_recipe import QuestionRows, RowKind, Transcripts
from .question_rows import QuestionRow, RowQuestion, read_rows
from .recipe import Recipe
from .row_batches import StillBatch, TranscriptBatch
from .row_frames import RowFrames, ViewFrames
from .sampler import TRIES, seed_of
from .transcripts import events_of, narrated, slots
from .word_tokenizer import CONTINUED

PROMPT = "first_person"
"""The system prompt that rows begin with, which is what the harness puts by default."""

FILLERS = "abcdefgh"
"""Words of the tokens of a transcript that hold no event."""

EVENT_TOKENS = 0.75
"""Share of the tokens of a slot that hold an event: not every patch of a frame shows the action."""

WORDS_KEPT = 0.85
"""Share of the words of an event that such a token holds."""


class KindRows(NamedTuple):
    """The rows of a kind, split.

    Attributes:
        kind: The kind.
        trained: Rows to train on.
        held_out: Rows to validate on.
    """

    kind: RowKind
    trained: Sequence[QuestionRow]
    held_out: Sequence[QuestionRow]


class DrawnRow(NamedTuple):
    """A row that was drawn for a step.

    Attributes:
        row: The row.
        seed: Seed of the choice of its questions and frames.
    """

    row: QuestionRow
    seed: int


class ReadRow(NamedTuple):
    """A row and its frames."""

    row: DrawnRow
    frames: ViewFrames


class QuestionWords:
    """Makes words of questions, as the harness asks them when it scores the texts of options.

    Args:
        tokenizer: Tokenizer of the language model.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self._chat = tokenizer, find_chat(tokenizer, mistral=True)
        self._known: dict[tuple[str, str], Question] = {}
        self._stems: dict[str, list[int]] = {}
        before, _ = self._chat.around_video(SYSTEM[PROMPT], user_turn("", ()))
        self.before: list[int] = list(tokenizer(before, add_special_tokens=False)["input_ids"])

    def __call__(self, question: str, answer: str) -> Question:
        """Tokenise a question and its answer; the answer's last full stop is dropped, as options have none."""
        if (question, answer) not in self._known:
            _, after = self._chat.around_video(SYSTEM[PROMPT], user_turn(question, ()))
            self._known[question, answer] = tokenise(self._tokenizer, after, answer.strip().removesuffix("."))
        return self._known[question, answer]

    def pack(self, kind: RowKind, drawn: Sequence[DrawnRow]) -> Words:
        """Pack rows with their questions into one batch of text."""
        return pack([(self.before, self._questions(kind, row, seed)) for row, seed in drawn])

    def _questions(self, kind: RowKind, row: QuestionRow, seed: int) -> list[Question]:
        """Tokenise the questions of a row: all, or as many as the kind has, rare forms as often as frequent ones."""
        rng, forms = Random(seed), list(row.forms.values())  # noqa: S311
        questions: dict[int, RowQuestion] = dict(enumerate(row.questions))
        if len(questions) > kind.questions:
            questions = {}
            while len(questions) < kind.questions:
                question = rng.choice(rng.choice(forms))
                questions[id(question)] = question
        return [self(question.question, question.answer) for question in questions.values()]

    def stems(self, words: Sequence[str]) -> list[int]:
        """Return the tokens of some words, without their endings."""
        text = " ".join(words)
        if text not in self._stems:
            stems = [token for token in self._tokenizer.tokenize(text) if not token.startswith(CONTINUED)]
            self._stems[text] = list(self._tokenizer.convert_tokens_to_ids(stems))
        return self._stems[text]


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
        inputs = Batch(self._words.pack(kind.kind, rows), ego, exo)
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
        for slot in slots(kind.kind, row, seconds_of(row), rng):
            events = [self._words.stems(event) for event in slot]
            for _ in range(per_slot):
                words: list[int] = []
                if events and rng.random() < EVENT_TOKENS:
                    words = [token for token in rng.choice(events) if rng.random() < WORDS_KEPT]
                yield words or self._words.stems([rng.choice(FILLERS)])


def seconds_of(row: QuestionRow) -> float:
    """Return the length of a row's clip in seconds: where the last moment of its questions ends; 0 without any."""
    return max((question.moment[1] for question in row.questions if question.moment), default=0.0)


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
                events = events_of(row, seconds_of(row))
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


def frame_requests(recipe: Recipe, data: Path, stage: str | None = None) -> list[ClipRequest]:
    """List every clip that the rows of a recipe are shown from, to fill a frame store with.

    Args:
        recipe: The recipe.
        data: Folder that its paths are below.
        stage: The stage whose rows are meant; ``None`` for those of all stages.

    Raises:
        TrainingDataError: If no stage shows rows of questions, and none was named.
        AnnotationError: If a file cannot be read.
    """
    frames = RowFrames(recipe.model, None)
    requests: dict[str, ClipRequest] = {}
    kinds = {
        kind.model_dump_json(): kind
        for planned in recipe.stages
        if isinstance(planned.source, QuestionRows) and stage in {None, planned.name}
        for kind in planned.source.rows
    }
    if not kinds and stage is None:
        raise TrainingDataError(f"recipe {recipe.name}: no stage of it shows rows of questions")
    for kind in kinds.values():
        requests |= {request.key: request for request in frames.requests(kind, read_rows(kind, data, recipe.seed))}
    return list(requests.values())
