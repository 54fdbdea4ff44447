"""EgoTimeQA: questions about Ego4D clips, open and closed, questions by GroundVQA's authors.

The question is about the whole clip, some eight minutes. ``moment_*_frame`` was rescaled by them and does not agree
with ``start_sec`` and ``end_sec``, so only the latter are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Annotated, Final, Literal

from pydantic import Field

from egobench.annotations import Annotations, Row
from egobench.annotations.fields import Id, Seconds, Text
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.streaming import json_items, present

NAME: Final = "egotimeqa"
CLOSED: Final = "egotimeqa-closed"
FILES: Final = (
    "annotations.EgoTimeQA.json",
    "unified/annotations.EgoTimeQA.json",
    "data/unified/annotations.EgoTimeQA.json",
)

Form = Literal["mixed", "open", "closed", "both"]
"""How questions are put: half of them open and half closed, one way only, or every one in both ways."""


class TimeQuestion(Row):
    """One row; where it is only to be asked openly, wrong answers may be missing."""

    video_id: Id
    question: Text
    answer: Text
    start_sec: Seconds | None = None
    end_sec: Seconds | None = None
    narrations: tuple[str, ...] = ()
    wrong_answers: Annotated[tuple[Text, ...], Field(min_length=3, max_length=3)] | None = None


def read(source: SourceFiles, form: Form, seed: int) -> Iterator[QuestionAnswer]:
    """Read the questions.

    Args:
        source: The files.
        form: How questions are put.
        seed: Decides which are closed in the mixed form, and orders options.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    files = source.annotations
    name = present(files, FILES)
    numbered = enumerate(json_items(files, name, progress=source.progress(name)), 1)
    for number, raw in numbered:
        make = partial(_questions, number=number, form=form, seed=seed, files=files)
        for questions in files.convert(files.folder / name, [raw], TimeQuestion, make):
            yield from questions


def _questions(row: TimeQuestion, number: int, form: Form, seed: int, files: Annotations) -> Sequence[QuestionAnswer]:
    name = f"{NAME}_{number}"
    rng = Random(f"{seed} {name}")  # noqa: S311 - an order of options is no secret
    wrong = row.wrong_answers or ()
    mixed = rng.random() < 0.5 and bool(wrong)
    closed = {"mixed": mixed, "open": False, "closed": True, "both": True}[form]
    reason = (
        "has no wrong answers" if not wrong else "has its answer among the wrong ones" if row.answer in wrong else ""
    )
    questions = [_question_answer(row, f"{name}_open", NAME)] if not closed or form == "both" else []
    if closed and not reason:
        options = (row.answer, *wrong)
        questions.append(_question_answer(row, f"{name}_closed", CLOSED, tuple(rng.sample(options, len(options)))))
    elif closed:
        files.drop(name, f"{reason}, so that it cannot be asked with options")
        questions = questions or ([_question_answer(row, f"{name}_open", NAME)] if form == "mixed" else [])
    return questions


def _question_answer(row: TimeQuestion, name: str, instructions: str, options: tuple[str, ...] = ()) -> QuestionAnswer:
    moment = {} if row.start_sec is None or row.end_sec is None else {"moment": [row.start_sec, row.end_sec]}
    narrations = {"narrations": list(row.narrations)} if row.narrations else {}
    return QuestionAnswer(
        id=name,
        video=f"{row.video_id}.mp4",
        question=row.question,
        answer=row.answer,
        instructions=instructions,
        options=options,
        facts={"video_uid": row.video_id, **moment, **narrations},
    )
