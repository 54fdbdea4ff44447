"""The rows that a run writes: predictions, events, replies of a judge; each with one writer and one reader."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NotRequired, TypeVar

from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from egobench.errors import StoreError
from egobench.metrics import Outcome
from egobench.run.checksums import writing
from egobench.validation import first_fault

if TYPE_CHECKING:
    from pydantic_core import ValidationError

STRICT: Mapping[str, str] = {"extra": "forbid"}
"""What pydantic is told of every row: a key that the row does not have is an error."""


UNANSWERED: frozenset[Outcome] = frozenset({"media_error", "request_error"})
"""Outcomes of samples that the model did not reply to."""


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
        revision: How many predictions of this sample and order it replaces: of several, the highest counts.
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
    revision: int = 0

    @property
    def final(self) -> bool:
        """Whether the model replied, so that asking again is pointless."""
        return self.outcome not in UNANSWERED

    @property
    def precedence(self) -> tuple[int, bool]:
        """What decides between predictions of one sample by different writers: the highest counts."""
        return self.revision, self.final


class ScoredRow(TypedDict):
    """What scores over options need of a :class:`Prediction`; read in half the time."""

    id: str
    outcome: Outcome
    scores: NotRequired[tuple[float, ...] | None]
    choice: NotRequired[int | None]
    order: NotRequired[int]
    revision: NotRequired[int]


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
FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in (Prediction, Event, JudgeReply)}
"""Names of the fields of each kind of row, in the order in which they are written."""

RowT = TypeVar("RowT", Prediction, ScoredRow, Event, JudgeReply)
PredictionT = TypeVar("PredictionT", Prediction, ScoredRow)


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Rows as lines of JSON, each ended by a newline."""
    return "".join(_encode({name: getattr(row, name) for name in FIELDS[type(row)]}) + "\n" for row in rows).encode()


_encode = json.JSONEncoder(ensure_ascii=False).encode


def read_rows(path: Path, kind: type[RowT]) -> Iterator[RowT]:
    """Read the rows of a file; a last line without an end is left out, for another process may be writing it.

    Args:
        path: A file that :func:`encode_rows` filled.
        kind: What each line must be.

    Raises:
        StoreError: If a line is damaged: no JSON, another key, or a value of another type.
    """
    from pydantic_core import ValidationError  # noqa: PLC0415 - a command's --help stays light

    content, read = path.read_bytes(), _reader(kind.__name__)
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            row: RowT = read(line)
        except ValidationError as error:
            raise _damaged(error, f"{path}, line {number}") from error
        yield row


class PredictionFiles:
    """Files of predictions, one per part and writer, each parsed again only after it has grown.

    Args:
        folder: The folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, dict[int, dict[str, Prediction]]]] = {}

    def by_writer(self, part: str) -> dict[str, dict[int, dict[str, Prediction]]]:
        """Predictions of a part by writer, order of the options and sample id; the last line of each counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return {
            path.name.removeprefix(f"{part}.").removesuffix(".jsonl"): self._by_order(path)
            for path in self._files(part)
        }

    def by_order(self, part: str) -> dict[int, dict[str, Prediction]]:
        """Predictions of a part by order of the options and sample id; of several writers' the latest.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        writers = [*self.by_writer(part).values()]
        orders = dict.fromkeys(order for by_order in writers for order in by_order)
        return {
            order: _latest([by_order.get(order, {}) for by_order in writers], attrgetter("precedence"))
            for order in orders
        }

    def scored_rows(self, part: str) -> Iterator[ScoredRow]:
        """What scores need of predictions in the samples' own order of the options; a sample's last row counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        writers = [(row for row in read_rows(path, ScoredRow) if not row.get("order")) for path in self._files(part)]
        if len(writers) == 1:
            return writers[0]
        last = [{row["id"]: row for row in rows} for rows in writers]
        return iter(_latest(last, lambda row: (row.get("revision", 0), row["outcome"] not in UNANSWERED)).values())

    def _files(self, part: str) -> list[Path]:
        return sorted(self._folder.glob(f"{part}.*.jsonl"))

    def _by_order(self, path: Path) -> dict[int, dict[str, Prediction]]:
        size = path.stat().st_size
        if path not in self._read or self._read[path][0] != size:
            predictions: dict[int, dict[str, Prediction]] = {}
            for prediction in read_rows(path, Prediction):
                predictions.setdefault(prediction.order, {})[prediction.id] = prediction
            self._read[path] = size, predictions
        return self._read[path][1]


def _latest(
    writers: Sequence[Mapping[str, PredictionT]], precedence: Callable[[PredictionT], tuple[int, bool]]
) -> dict[str, PredictionT]:
    """The row of each sample that counts, of several writers' rows; of equal ones the first writer's."""
    merged: dict[str, PredictionT] = {}
    for rows in writers:
        if not merged:
            merged = dict(rows)
            continue
        for sample_id, row in rows.items():
            if sample_id not in merged or precedence(row) > precedence(merged[sample_id]):
                merged[sample_id] = row
    return merged


def cut_broken_line(path: Path) -> None:
    """Cut off a last line without an end, so that the next one does not become part of it.

    Raises:
        StoreError: If the file cannot be written.
    """
    if not path.exists():
        return
    with writing(path), path.open("r+b") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            file.truncate(end)


class RowFollower(Generic[RowT]):
    """Reads the rows that other processes append to files, each row once.

    Args:
        folder: The folder of the files.
        pattern: Which files in it, as a glob.
        kind: What each line must be.
        but: Name of a file that is left out.
    """

    def __init__(self, folder: Path, pattern: str, kind: type[RowT], *, but: str = "") -> None:
        self._folder, self._pattern, self._but = folder, pattern, but
        self._kind: type[RowT] = kind
        self._read_bytes: Counter[str] = Counter()

    def skip(self) -> None:
        """Leave out what is there now.

        Raises:
            StoreError: If a file cannot be read.
        """
        for _ in self._new_lines():
            pass

    def read_new(self) -> Iterator[RowT]:
        """Read what has been appended since; at first, all there is.

        Raises:
            StoreError: If a line is damaged, or a file cannot be read.
        """
        from pydantic_core import ValidationError  # noqa: PLC0415 - as above

        read = _reader(self._kind.__name__)
        for path, line in self._new_lines():
            try:
                row: RowT = read(line)
            except ValidationError as error:
                raise _damaged(error, str(path)) from error
            yield row

    def _new_lines(self) -> Iterator[tuple[Path, bytes]]:
        for path in sorted(self._folder.glob(self._pattern)):
            if path.name == self._but:
                continue
            try:
                # Opened even if it seems not to have grown: a network disk looks at a file anew when it is opened.
                with path.open("rb") as file:
                    file.seek(self._read_bytes[path.name])
                    content = file.read()
            except OSError as error:
                raise StoreError(f"{path} cannot be read ({error.strerror}); check disk and permissions") from error
            complete = content[: content.rfind(b"\n") + 1]
            self._read_bytes[path.name] += len(complete)
            for line in complete.splitlines():
                yield path, line


def _damaged(error: ValidationError, where: str) -> StoreError:
    return StoreError(f"{where}: damaged ({first_fault(error)}); delete the line and checksums.txt to ask again")


@cache
def _reader(kind: str) -> Callable[[bytes], Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - as above

    row = {row.__name__: row for row in (Prediction, ScoredRow, Event, JudgeReply)}[kind]
    return partial(TypeAdapter(row).validator.validate_json, strict=True)
