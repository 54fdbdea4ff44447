"""Reading official annotation files: every row checked, every mistake named by file, row and field.

A task's reader asks :class:`Annotations` for the rows of its files and gives, for each, a pydantic model of what a row must
hold and a function from such a row to a record. Nothing else opens an annotation file, so the hashes of the sources in
the manifest are complete, and ``--skip-bad`` means the same for every task.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from egobench.errors import AnnotationFileError, RecordError
from egobench.sample import Record


class Row(BaseModel):
    """What one row of an annotation file must hold; a task names the fields it uses, others are ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, populate_by_name=False)


R = TypeVar("R", bound=Row)
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
        facts: Counts a reader notes for the manifest, e.g. ``{"captions": 3842}``.
    """

    folder: Path
    skip_bad: bool = False
    sources: dict[str, str] = field(default_factory=dict[str, str])
    dropped: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
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
            AnnotationFileError: If none is there, or the file is empty or not UTF-8.
        """
        for name in names:
            path = self.folder / name
            if not path.is_file():
                continue
            raw = path.read_bytes()
            self.sources[name] = sha256(raw).hexdigest()
            if not raw.strip():
                raise AnnotationFileError(f"{path}: the file is empty; download it again")
            try:
                return path, raw.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise AnnotationFileError(
                    f"{path}: not UTF-8 at byte {error.start}; convert it, e.g. iconv -f latin1 -t utf-8"
                ) from error
        raise AnnotationFileError(f"{self.folder}: no file {' or '.join(names)}; is this the annotation folder of the task?")

    def json(self, *names: str) -> tuple[Path, Any]:
        """The first of these files that is there, as JSON.

        Raises:
            AnnotationFileError: If none is there, or it is empty, not UTF-8, or not JSON.
        """
        path, text = self.text(*names)
        try:
            return path, json.loads(text)
        except json.JSONDecodeError as error:
            raise AnnotationFileError(
                f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); is the file truncated?"
            ) from error

    def json_rows(self, *names: str) -> tuple[Path, list[Numbered]]:
        """The rows of a JSON file that holds a list of objects, or an object of objects.

        Raises:
            AnnotationFileError: If the file holds something else.
        """
        path, value = self.json(*names)
        if isinstance(value, dict):
            return path, [(f"key {key!r}", row) for key, row in value.items()]
        if isinstance(value, list):
            return path, [(f"row {number}", row) for number, row in enumerate(value, 1)]
        raise AnnotationFileError(f"{path}: holds a JSON {type(value).__name__}; expected a list of objects")

    def csv_rows(self, *names: str, columns: Iterable[str]) -> tuple[Path, list[Numbered]]:
        """The rows of a CSV file with a header line.

        Args:
            names: The official name first, then alternative ones.
            columns: Columns the header must have, in any order.

        Raises:
            AnnotationFileError: If the header lacks a column.
            RecordError: If a row has more or fewer cells than the header, and ``skip_bad`` is off.
        """
        path, text = self.text(*names)
        reader = csv.reader(io.StringIO(text))
        header = next(reader)
        missing = [column for column in columns if column not in header]
        if missing:
            raise AnnotationFileError(f"{path}: the header has no column {', '.join(map(repr, missing))}; it has {header}")
        rows: list[Numbered] = []
        for cells in reader:
            name = f"line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                problem = f"{len(cells)} cells where the header has {len(header)}: columns are shifted"
                self._bad(RecordError(path, name, "", problem))
            else:
                rows.append((name, dict(zip(header, cells, strict=True))))
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
                raises names a malformed row; ``FieldError`` names the field too.

        Yields:
            One record a row.

        Raises:
            RecordError: At the first malformed row, unless ``skip_bad`` is on.
        """
        for name, raw in rows:
            try:
                record = make(model.model_validate(raw))
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]
                where = ".".join(str(part) for part in fault["loc"])
                self._bad(RecordError(path, name, where, f"{fault['msg']}; found {fault['input']!r:.80}"))
            except FieldError as error:
                self._bad(RecordError(path, name, error.field, error.problem))
            except ValueError as error:
                self._bad(RecordError(path, name, "", str(error)))
            else:
                if record is None:
                    continue
                first = self._seen.setdefault((record.subset, record.id), f"{path}, {name}")
                if first == f"{path}, {name}":
                    yield record
                else:
                    self._bad(RecordError(path, name, "", f"its id {record.id!r} was taken already by {first}"))

    def drop(self, record_id: str, reason: str) -> None:
        """Note a row that is left out for a reason that is no mistake, e.g. an action without a segment."""
        self.dropped.append({"id": record_id, "reason": reason})

    def _bad(self, error: RecordError) -> None:
        if not self.skip_bad:
            raise error
        self.drop(error.row, str(error))


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
