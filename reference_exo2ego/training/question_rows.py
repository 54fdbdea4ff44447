"""Rows of questions: a stretch of a video with all questions about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from egobench.errors import TrainingDataError
from reference_exo2ego.data.samples import TAGS, SyncedView, TrainingSample, read_samples

from .clip_rows import View
from .question_recipe import QuestionFile, RowKind
from .sampler import is_kept
from .word_tokenizer import split_words

FORM_WORDS = 3
"""Words that questions of one form begin with."""


class RowQuestion(NamedTuple):
    """A question about a clip.

    Attributes:
        question: The question.
        answer: The answer.
        moment: Start and end in seconds of what it is about; ``None`` where that is not known.
        narrations: What happens then, in order.
    """

    question: str
    answer: str
    moment: tuple[float, float] | None
    narrations: tuple[str, ...]

    @property
    def form(self) -> str:
        """The words that it begins with, by which questions of one kind are told from others."""
        return " ".join(split_words(self.question)[:FORM_WORDS])

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is said: the question, the answer and the narrations."""
        return (self.question, self.answer, *self.narrations)


@dataclass(slots=True)
class QuestionRow:
    """A clip, and the questions about it.

    Attributes:
        id: Of its first sample, with the camera.
        ego: What the wearer's camera sees; ``None`` where it is not shown.
        exo: What another camera sees; likewise.
        questions: The questions.
    """

    id: str
    ego: View | None
    exo: View | None
    questions: list[RowQuestion] = field(default_factory=list[RowQuestion])

    @property
    def forms(self) -> dict[str, list[RowQuestion]]:
        """Its questions by form."""
        forms: dict[str, list[RowQuestion]] = {}
        for question in self.questions:
            forms.setdefault(question.form, []).append(question)
        return forms

    @property
    def seconds(self) -> float:
        """Length of its clip: where the last moment of its questions ends; 0 without any."""
        return max((question.moment[1] for question in self.questions if question.moment), default=0.0)


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


def read_rows(kind: RowKind, data: Path, seed: int) -> list[QuestionRow]:
    """Read the rows of a kind, in the order of its files.

    Args:
        kind: The kind.
        data: Folder that its files are below.
        seed: Decides which clips a file keeps, where it keeps a share of them.

    Raises:
        TrainingDataError: If there is none.
        AnnotationError: If a file cannot be read.
    """
    rows: dict[object, QuestionRow] = {}
    for file in kind.files:
        asks = re.compile(file.asks)
        for sample in samples_of(data / file.path):
            if file.sources and sample.source not in file.sources:
                continue
            question = question_of(sample, file)
            if not asks.search(question.question) or not is_kept(sample.media, file.share, seed):
                continue
            for camera in _cameras(sample, file):
                clip = (file.path, sample.media, sample.start, sample.end, camera)
                row = rows.get(clip)
                if row is None:
                    row = rows[clip] = _row(sample, camera, file, data / file.videos)
                row.questions.append(question)
    if not rows:
        raise TrainingDataError(
            f"rows {kind.name}: nothing in {', '.join(file.path for file in kind.files)} is of their sources and "
            f"questions"
        )
    return list(rows.values())


def question_of(sample: TrainingSample, file: QuestionFile) -> RowQuestion:
    """Return the question of a sample without instruction and options; captions get that of the file."""
    facts = sample.facts
    question, answer = str(facts.get("question") or ""), str(facts.get("answer") or sample.turns[1])
    if file.answer:
        if file.answer not in facts:
            raise TrainingDataError(f"{file.path}: sample {sample.id!r} has no field {file.answer!r} to be the answer")
        answer = str(facts[file.answer])
    for expression, words in file.reword:
        answer = re.sub(expression, words, answer)
    if "question" not in facts:
        question = sample.turns[0].removeprefix(TAGS[sample.modality])
    where = f"{file.path}: sample {sample.id!r}"
    return RowQuestion(
        file.question or question.strip(),
        answer,
        _moment(facts.get("moment"), where),
        _narrations(facts.get("narrations"), where),
    )


def _moment(value: Any, where: str) -> tuple[float, float] | None:
    match value:
        case None:
            return None
        case [int() | float() as start, int() | float() as end]:
            return float(start), float(end)
        case _:
            raise TrainingDataError(f"{where}: moment {value!r:.80}; expected seconds of its start and its end")


def _narrations(value: Any, where: str) -> tuple[str, ...]:
    narrations: list[Any] = value or []
    if not isinstance(value, list | None) or not all(isinstance(text, str) for text in narrations):
        raise TrainingDataError(f"{where}: narrations {value!r:.80}; expected a list of texts")
    return tuple(narrations)


def samples_of(path: Path) -> tuple[TrainingSample, ...]:
    """Return all samples of a file, which is read once for all kinds of rows and all stages that use it.

    Raises:
        AnnotationError: If it cannot be read.
    """
    return _samples(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _samples(path: Path, changed: int) -> tuple[TrainingSample, ...]:  # noqa: ARG001 - a file that has changed is another
    return tuple(read_samples(path))


def _cameras(sample: TrainingSample, file: QuestionFile) -> Sequence[SyncedView | None]:
    """Return the other cameras that show a sample; ``None`` stands for the one of its own file."""
    if file.view == "ego":
        return (None,)
    if file.view == "pair" and not sample.exo:
        raise TrainingDataError(f"{file.path}: sample {sample.id!r} has no exocentric view to be a pair with")
    return sample.exo or (None,)


def _row(sample: TrainingSample, camera: SyncedView | None, file: QuestionFile, videos: Path) -> QuestionRow:
    """Make the row of a clip, still without questions."""
    own = View(videos / sample.media, sample.modality, sample.start, sample.end)
    if camera is None:
        return QuestionRow(sample.id, own, None) if file.view == "ego" else QuestionRow(sample.id, None, own)
    exo = View(videos / camera.video, "video", *sample.times_of(camera))
    return QuestionRow(f"{sample.id}, {camera.camera}", own if file.view == "pair" else None, exo)
