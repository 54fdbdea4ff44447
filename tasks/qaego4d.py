"""QAEgo4D: episodic memory, "where did I leave my keys?", asked with four options (closed) or in words (open).

Papers: Baermann and Waibel, "Where Did I Leave My Keys?", CVPR 2022 workshops (questions and answers); Di and Xie,
"Grounded Question-Answering in Long Egocentric Videos", arXiv 2312.06505 (wrong answers). Annotations: data.zip of
github.com/Becomebright/GroundVQA. Licence: signed, non-commercial; the videos are under the Ego4D licence.

Quirks:

* ``video_id`` is the uid of an NLQ *clip*, and the whole clip is the input: in the parent video the answer would be
  ambiguous. Two samples of one parent video (``video_uid``) are not independent.
* The moment that holds the answer is in frames at 30 per second of the clip, may have no length, and never cuts the
  clip.
* The closed file has no order of options: right answer and three wrong ones (written by Llama 2) are shuffled here by
  ``sample_id``. Releases of it differ in the number of questions.
* The closed form in the open is ``test_mc.json``: 500 questions of 148 clips, four choices in an order that is kept, no
  ids; a question is known by its clip and its place in the clip's list.
* The authors' own tool writes ``annotations.test.json``, without ``video_uid``. There, as in ``test_mc.json``, the clip
  is the cluster, which the manifest says.
* One file is enough: the closed ones give ``closed``, the open ones ``open``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from egobench.annotations import Annotations, JsonFile, Row
from egobench.annotations.fields import Id, Text, position, stretch
from egobench.distractors import official
from egobench.errors import AnnotationFileError
from egobench.metrics.accuracy import accuracy
from egobench.metrics.words import exact_match, meteor, normalised_match, rouge_l, sentence_similarity
from egobench.sample import Clip, Record
from egobench.task import Source, SourceFile, Subset, Task

CLOSED = JsonFile("annotations.QaEgo4D_test_close.json")
CHOICES = JsonFile("test_mc.json", key="place", nested="conversations")
OPEN = JsonFile("annotations.QaEgo4D_test.json", other_names=("annotations.test.json",))

SOURCE = Source(
    paper="https://arxiv.org/abs/2312.06505",
    home="https://github.com/Becomebright/GroundVQA",
    licence="signed form, non-commercial; videos under the Ego4D licence",
    files={
        CLOSED.name: SourceFile("questions with one right and three wrong answers"),
        OPEN.name: SourceFile("questions with a reference answer"),
    },
    videos="{video_id}.mp4",
    release="zhangyl4/weavetime a077e75 (test_mc.json); the official files have no public release",
    other_forms={
        CHOICES.name: SourceFile(
            "questions with four choices", "cba7f3c41874294ee88840e3278b6fa87eaf5c4ec548d7552a65461465bf14af"
        ),
        OPEN.other_names[0]: SourceFile("questions with a reference answer, as the authors' tool writes them"),
    },
)

FRAMES_PER_SECOND = 30


class Question(Row):
    """One question of the open file."""

    video_id: Id
    sample_id: Id
    question: Text
    answer: Text
    moment_start_frame: float
    moment_end_frame: float
    video_uid: Id | None = None


class ClosedQuestion(Question):
    """One question of the closed file."""

    wrong_answers: Annotated[tuple[Text, ...], Field(min_length=3, max_length=3)]


class ChoiceQuestion(Row):
    """One question of ``test_mc.json``."""

    video_id: Id
    place: Id
    question: Text
    choices: Annotated[tuple[Text, ...], Field(min_length=4, max_length=4)]
    answer: Text


def closed(row: ClosedQuestion) -> Record:
    """A closed question; its options get their order when samples are built."""
    options = (row.answer, *row.wrong_answers)
    return replace(opened(row), subset="closed", options=options, target=0, ordered=False)


def chosen(row: ChoiceQuestion) -> Record:
    """A closed question whose choices have an order."""
    return Record(
        id=f"{row.video_id}_{row.place}",
        clip=Clip(f"{row.video_id}.mp4"),
        question=row.question,
        answer=row.answer,
        cluster=row.video_id,
        subset="closed",
        options=row.choices,
        target=position(row.answer, row.choices, field="answer"),
    )


def opened(row: Question) -> Record:
    """An open question."""
    return Record(
        id=row.sample_id,
        clip=whole_clip(row),
        question=row.question,
        answer=row.answer,
        cluster=row.video_uid or row.video_id,
        subset="open",
    )


def whole_clip(row: Question) -> Clip:
    """The NLQ clip from end to end; a moment that ends before it starts still marks a broken row."""
    start, end = row.moment_start_frame / FRAMES_PER_SECOND, row.moment_end_frame / FRAMES_PER_SECOND
    stretch(row.video_id, max(start, 0.0), end, field="moment_end_frame")
    return Clip(f"{row.video_id}.mp4")


def read(annotations: Annotations) -> Iterator[Record]:
    """The closed questions, then the open ones, as far as their files are there."""
    if not any(annotations.has(file) for file in (CLOSED, CHOICES, OPEN)):
        names = f"neither {CLOSED.name} nor {CHOICES.name} nor {OPEN.name}"
        raise AnnotationFileError(f"{annotations.folder}: {names}; at least one is needed")
    if annotations.has(CLOSED):
        yield from annotations.note_own_clusters(annotations.records(CLOSED, ClosedQuestion, closed))
    elif annotations.has(CHOICES):
        yield from annotations.note_own_clusters(annotations.records(CHOICES, ChoiceQuestion, chosen))
    if annotations.has(OPEN):
        yield from annotations.note_own_clusters(annotations.records(OPEN, Question, opened))


TASK = Task(
    name="qaego4d",
    version=1,
    skill="episodic memory",
    source=SOURCE,
    read=read,
    constructions={"official": official()},
    metrics={
        "acc": accuracy,
        "rouge_l": rouge_l,
        "exact": exact_match,
        "normalised": normalised_match,
        "meteor": meteor,
        "similarity": sentence_similarity,
    },
    subsets=(
        Subset("closed", "mcq", headline="acc"),
        Subset("open", "open", headline="rouge_l"),
    ),
    cluster="Ego4D video",
)
