"""The rows that a run writes: predictions, events, replies of a judge; each with one writer and one reader."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from egobench.errors import StoreError
from egobench.metrics import Outcome

if TYPE_CHECKING:
    from pydantic import TypeAdapter

STRICT: Mapping[str, str] = {"extra": "forbid"}
"""What pydantic is told of every row: a key that the row does not have is an error."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What became of one sample: one line of a predictions file.

    Attributes:
        id: The sample's id.
        outcome: What became of it.
        reply: What the model wrote; ``""`` where it scored options.
        choice: Position of the chosen option in the sample's own order; ``None`` for none or a tie.
        rule: How the reply was read, or the method that scored the options.
        scores: One number per option in the sample's own order, ``None`` unless answered.
        error: Why there is no answer.
        receipt: Which frames were shown; ``None`` where none were.
        video: Fingerprint of the video file; ``""`` where none was opened.
        seconds: Wall time of its share of the model's work; never part of a score.
        prompt_tokens: Tokens read, where known.
        reply_tokens: Tokens written, where known.
        order: By how many places the options were turned when they were shown.
        tries: Requests that it took.
        cost: Price of the answer, where prices were given.
        floored: Options whose log-probability is known only by an upper bound.
        finish_reason: Why the reply ends, as in :class:`egobench.model.Reply`.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = STRICT

    id: str
    outcome: Outcome
    reply: str = ""
    choice: int | None = None
    rule: str = ""
    scores: tuple[float, ...] | None = None
    error: str | None = None
    receipt: Mapping[str, Any] | None = None
    video: str = ""
    seconds: float = 0.0
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    order: int = 0
    tries: int = 1
    cost: float | None = None
    floored: int = 0
    finish_reason: str = ""

    @property
    def final(self) -> bool:
        """Whether the model replied, so that asking again is pointless."""
        return self.outcome not in {"media_error", "request_error"}


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """What scores over options need of a prediction; read in half the time.

    Attributes:
        id: The sample's id.
        outcome: What became of it.
        scores: One number per option in the sample's own order, ``None`` unless answered.
        choice: Position of the chosen option in the sample's own order; ``None`` for none or a tie.
        order: By how many places the options were turned when they were shown.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "ignore"}

    id: str
    outcome: Outcome
    scores: tuple[float, ...] | None = None
    choice: int | None = None
    order: int = 0


PredictionsByOrder = Mapping[int, Mapping[str, Prediction]]
"""Predictions of one part, by order of the options and sample id."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run and changes no answer: one line of ``events.jsonl``.

    Attributes:
        part: The part of the run that it happened to.
        what: What happened, in a sentence.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = STRICT

    part: str
    what: str


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """What a judge replied to one question: one line of the judge's file in the run folder.

    Attributes:
        key: Hash of the judge's prompt, see :func:`egobench.llm_judge.rubric.key_of`.
        reply: The reply; ``""`` where the request failed.
        error: Why the request failed; ``None`` where it did not.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = STRICT

    key: str
    reply: str = ""
    error: str | None = None


Row = Prediction | Event | JudgeReply
RowT = TypeVar("RowT", Prediction, ScoredRow, Event, JudgeReply)


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Rows as lines of JSON, each ended by a newline."""
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows).encode()


def read_rows(path: Path, kind: type[RowT]) -> Iterator[RowT]:
    """Read the rows of a file.

    Args:
        path: A file that :func:`encode_rows` filled.
        kind: What each line must be.

    Raises:
        StoreError: If a line is damaged: no JSON, another key, or a value of another type.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - a command's --help stays light

    read = _reader(kind.__name__).validate_json
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            yield read(line, strict=True)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"]))
            problem = f"{where}: {fault['msg']}" if where else fault["msg"]
            raise StoreError(
                f"{path}, line {number}: damaged ({problem}); delete the line and checksums.txt to ask again"
            ) from error


@cache
def _reader(kind: str) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - as above

    return TypeAdapter({row.__name__: row for row in (Prediction, ScoredRow, Event, JudgeReply)}[kind])
