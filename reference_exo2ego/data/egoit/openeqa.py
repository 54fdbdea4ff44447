"""OpenEQA: questions about scans of homes, whose videos are folders of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from egobench.annotations import Row
from egobench.annotations.fields import Id, Text
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.streaming import json_items, present

NAME: Final = "open-eqa"
FILES: Final = ("data/open-eqa-v0.json", "open-eqa-v0.json")


class EpisodeQuestion(Row):
    """One row of ``open-eqa-v0.json``."""

    question_id: Id
    question: Text
    answer: Text
    category: Text
    episode_history: Text
    extra_answers: tuple[Text, ...] = ()


def read(source: SourceFiles) -> Iterator[QuestionAnswer]:
    """Read the questions.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    files = source.annotations
    name = present(files, FILES)
    rows = json_items(files, name, progress=source.progress(name))
    yield from files.convert(files.folder / name, rows, EpisodeQuestion, _question)


def _question(row: EpisodeQuestion) -> QuestionAnswer:
    others = {"extra_answers": list(row.extra_answers)} if row.extra_answers else {}
    return QuestionAnswer(
        id=f"{NAME}_{row.question_id}",
        video=f"data/frames/{row.episode_history}",
        question=row.question,
        answer=row.answer,
        instructions=NAME,
        facts={"category": row.category, **others},
    )
