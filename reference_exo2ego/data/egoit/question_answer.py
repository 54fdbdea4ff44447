"""What every source of EgoIT is read into, before an instruction is chosen for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from egobench.annotations import Annotations
from egobench.observer import Observer
from reference_exo2ego.data.streaming import ByteProgress, in_megabytes


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


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """A source while it is read.

    Attributes:
        annotations: Its folder, and what is noted of its files.
        observer: Receives the progress.
    """

    annotations: Annotations
    observer: Observer

    def progress(self, name: str) -> ByteProgress:
        """Begin to report how far a file is read."""
        return in_megabytes(self.observer, self.annotations.folder / name)
