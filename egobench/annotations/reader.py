"""Reading official annotation files: every row checked, every mistake named by file, row and field.

A task's reader asks :class:`Annotations` for the rows of its files and gives, for each file, a pydantic model of what a
row must hold and a function from such a row to a record. Nothing else opens an annotation file, so the hashes of the
sources in the manifest are complete, and ``--skip-bad`` means the same for every task. What several tasks read inside a
field (texts, timestamps, lettered answers) is in :mod:`egobench.annotations.fields`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from egobench.errors import AnnotationFileError, RecordError
from egobench.sample import Record


class Row(BaseModel):
    """What one row of an annotation file must hold; a task names the fields it uses, others are ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


R = TypeVar("R", bound=Row)
T = TypeVar("T")
Numbered = tuple[str, Mapping[str, Any]]
"""A raw row and what names it for a person, e.g. ``("row 17", {...})``."""


@dataclass
class Annotations:
    """A folder of one task's official files.

    Attributes:
        folder: The folder.
        skip_bad: Leave malformed rows out, and say so in ``dropped``, instead of raising.
        sources: SHA-256 of every file read so far, by name below the folder.
        dropped: Rows left out: ``{"id": ..., "reason": ...}``.
        videos: What the files say of videos, for ``egobench doctor``: ``seconds`` and ``fps`` by video, where they do.
        facts: Counts a reader notes for the manifest, e.g. ``{"captions": 3842}``.
    """

    folder: Path
    skip_bad: bool = False
    sources: dict[str, str] = field(default_factory=dict[str, str])
    dropped: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    videos: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    facts: dict[str, int] = field(default_factory=dict[str, int])
    _seen: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def has(self, *names: str) -> bool:
        """Whether one of these files is there."""
        return any((self.folder / name).is_file() for name in names)

    def text(self, *names: str) -> tuple[Path, str]:
        """The first of these files that is there, as text.

        Args:
            names: The official name first, then alternative ones.

        Raises:
            AnnotationFileError: If none is there, or the file cannot be opened, is empty or is not UTF-8.
        """
        name = next((name for name in names if self.has(name)), None)
        if name is None:
            expected = " or ".join(names)
            raise AnnotationFileError(f"{self.folder}: no file {expected}; is this the annotation folder of the task?")
        path = self.folder / name
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise AnnotationFileError(f"{path}: cannot be read ({error.strerror})") from error
        self.sources[name] = sha256(raw).hexdigest()
        if not raw.strip():
            raise AnnotationFileError(f"{path}: the file is empty; download it again")
        try:
            return path, raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise AnnotationFileError(
                f"{path}: not UTF-8 at byte {error.start}; convert it, e.g. iconv -f latin1 -t utf-8"
            ) from error

    def json(self, *names: str) -> tuple[Path, JsonValue]:
        """The first of these files that is there, as JSON.

        Raises:
            AnnotationFileError: If none is there, or it is empty, not UTF-8, or not JSON.
        """
        path, text = self.text(*names)
        try:
            return path, json.loads(text, object_pairs_hook=_Object)
        except json.JSONDecodeError as error:
            raise AnnotationFileError(
                f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); is the file truncated?"
            ) from error

    def json_rows(self, *names: str, key: str = "", value: str = "") -> tuple[Path, list[Numbered]]:
        """The rows of a JSON file: a list of objects or, with ``key``, one object that holds a row under each key.

        Args:
            names: The official name first, then alternative ones.
            key: The field in which each row is given its key.
            value: The field in which each row is given its value, where the values are no objects.

        Raises:
            AnnotationFileError: If the file cannot be read, holds something else, or holds no usable row.
            RecordError: If a row is no object, or a key comes twice, and ``skip_bad`` is off.
        """
        path, content = self.json(*names)
        labelled: list[tuple[str, dict[str, str], JsonValue]]
        if key and isinstance(content, _Object):
            labelled = [(f"key {label!r}", {key: label}, row) for label, row in content.items()]
            for repeated in content.repeated:
                self.refuse(RecordError(path, f"key {repeated!r}", "", "comes twice in the file; expected once"))
        elif not key and isinstance(content, list):
            labelled = [(f"row {number}", {}, row) for number, row in enumerate(content, 1)]
        else:
            shape = "an object with a row under each key" if key else "a list of rows"
            raise AnnotationFileError(f"{path}: expected {shape}, found {content!r:.80}")
        rows: list[Numbered] = []
        for name, extra, row in labelled:
            if value:
                rows.append((name, {value: row, **extra}))
            elif not isinstance(row, _Object):
                self.refuse(RecordError(path, name, "", f"expected an object, found {row!r:.80}"))
            elif row.repeated:
                self.refuse(RecordError(path, name, row.repeated[0], "comes twice in the row; expected once"))
            else:
                rows.append((name, {**row, **extra}))
        if not rows:
            raise AnnotationFileError(f"{path}: holds no usable row; download it again")
        return path, rows

    def csv_rows(self, *names: str, columns: Iterable[str]) -> tuple[Path, list[Numbered]]:
        """The rows of a CSV file with a header line.

        Args:
            names: The official name first, then alternative ones.
            columns: Columns the header must have, in any order.

        Raises:
            AnnotationFileError: If the file cannot be read, the header lacks a column or has one twice, a quote is open
                at the end of the file, or there is no usable row.
            RecordError: If a row has more or fewer cells than the header, and ``skip_bad`` is off.
        """
        path, text = self.text(*names)
        stream = io.StringIO(text, newline="")
        reader = csv.reader(stream, strict=True)
        header: list[str] = []
        rows: list[Numbered] = []
        while stream.tell() < len(text):
            name = f"line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except csv.Error as error:
                if stream.tell() == len(text):
                    raise AnnotationFileError(f"{path}, {name}: not CSV ({error}); is the file truncated?") from error
                self.refuse(RecordError(path, name, "", f"not CSV ({error})"))
                continue
            if not header:
                header = _checked_header(path, cells, columns)
            elif cells and len(cells) != len(header):
                problem = f"{len(cells)} cells where the header has {len(header)}: columns are shifted"
                self.refuse(RecordError(path, name, "", problem))
            elif cells:
                rows.append((name, dict(zip(header, cells, strict=True))))
        if not rows:
            raise AnnotationFileError(f"{path}: holds no usable row below its header; download it again")
        return path, rows

    def records(
        self, path: Path, rows: Iterable[Numbered], model: type[R], make: Callable[[R], Record | None]
    ) -> Iterator[Record]:
        """Turn raw rows into records.

        Args:
            path: Where the rows come from, for messages.
            rows: Raw rows.
            model: What a row must hold.
            make: From a checked row to its record, or ``None`` for a row that is rightly no sample. A ``ValueError`` it
                raises names a malformed row; :class:`FieldError` names the field too.

        Yields:
            One record a row.

        Raises:
            RecordError: At the first malformed row or repeated id, unless ``skip_bad`` is on.
        """
        for name, raw in rows:
            record = self._checked_row(path, name, raw, model, make)
            if record is None:
                continue
            here = f"{path.relative_to(self.folder).as_posix()}, {name}"
            first = self._seen.setdefault((record.subset, record.id), here)
            if first == here:
                yield record
            else:
                self.refuse(RecordError(path, name, "", f"its id {record.id!r} was taken already by {first}"))

    def table(self, path: Path, rows: Iterable[Numbered], model: type[R], key: Callable[[R], str]) -> dict[str, R]:
        """Turn raw rows into a table to look things up in, such as labels or frame rates.

        Args:
            path: Where the rows come from, for messages.
            rows: Raw rows.
            model: What a row must hold.
            key: The entry that a row stands under.

        Returns:
            The checked rows by key, in order.

        Raises:
            RecordError: At the first malformed row or repeated key, unless ``skip_bad`` is on.
        """
        found: dict[str, R] = {}
        for name, raw in rows:
            row = self._checked_row(path, name, raw, model, lambda row: row)
            if row is not None and found.setdefault(key(row), row) is not row:
                self.refuse(RecordError(path, name, "", f"{key(row)!r} has an entry already; expected one"))
        return found

    def checked(
        self, path: Path, rows: Iterable[Numbered], model: type[R], make: Callable[[R], T | None]
    ) -> Iterator[T]:
        """Check raw rows and turn each into a value of any kind; nothing is remembered of a row once it is passed on.

        Args:
            path: Where the rows come from, for messages.
            rows: Raw rows.
            model: What a row must hold.
            make: As for :meth:`records`.

        Yields:
            One value a row, in order.

        Raises:
            RecordError: At the first malformed row, unless ``skip_bad`` is on.
        """
        for name, raw in rows:
            value = self._checked_row(path, name, raw, model, make)
            if value is not None:
                yield value

    def drop(self, record_id: str, reason: str) -> None:
        """Note a row that is left out for a reason that is no mistake, e.g. a video without actions."""
        self.dropped.append({"id": record_id, "reason": reason})

    def _checked_row(
        self, path: Path, name: str, raw: Mapping[str, Any], model: type[R], make: Callable[[R], T | None]
    ) -> T | None:
        try:
            return make(model.model_validate(raw))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            found = f"the row has {', '.join(raw)}" if fault["type"] == "missing" else f"found {fault['input']!r:.80}"
            self.refuse(RecordError(path, name, where, f"{fault['msg'].removeprefix('Value error, ')}; {found}"))
        except FieldError as error:
            self.refuse(RecordError(path, name, error.field, error.problem))
        except ValueError as error:
            self.refuse(RecordError(path, name, "", str(error)))
        return None

    def refuse(self, error: RecordError) -> None:
        """Raise the error of a malformed row or, with ``skip_bad``, note it among the dropped."""
        if not self.skip_bad:
            raise error
        where = f"field {error.field!r}: " if error.field else ""
        self.drop(f"{self._below(error.file)}, {error.row}", where + error.problem)

    def _below(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)


class FieldError(ValueError):
    """A checked row turns out malformed in one field.

    Attributes:
        field: The field's name in the file.
        problem: What is wrong and what was expected.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"field {field!r}: {problem}")
        self.field = field
        self.problem = problem


class _Object(dict[str, JsonValue]):
    """A JSON object that remembers keys which came more than once; the first value stays."""

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        self.repeated: list[str] = []
        if len(self) < len(pairs):
            self.update(reversed(pairs))
            self.repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def _checked_header(path: Path, header: list[str], columns: Iterable[str]) -> list[str]:
    missing = [column for column in columns if column not in header]
    if missing:
        raise AnnotationFileError(f"{path}: the header has no column {', '.join(map(repr, missing))}; it has {header}")
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise AnnotationFileError(f"{path}: the header has the column {repeated[0]!r} twice; it has {header}")
    return header
