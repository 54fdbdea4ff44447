"""What every source of EgoIT is read into, before an instruction is chosen for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from egobench.annotations import Annotations


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A clip, a question about it, and the answer.

    Attributes:
        id: Unique in its source.
        video: Path below the folder of videos; may be a folder of frames.
        question: The question; ``""`` where the instruction is all that is asked.
        answer: The answer.
        instructions: The list that its instruction is chosen from.
        start: Seconds; ``None`` for the beginning of the file.
        end: Seconds; ``None`` for the end of the file.
        options: Options, in the order they are shown; empty for an open question.
        facts: Further fields of the training sample.
    """

    id: str
    video: str
    question: str
    answer: str
    instructions: str
    start: float | None = None
    end: float | None = None
    options: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


class SourceRows(NamedTuple):
    """A source while it is read: what is noted of its files, and its questions."""

    annotations: Annotations
    rows: Iterator[QuestionAnswer]
