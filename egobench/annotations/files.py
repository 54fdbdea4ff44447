"""The shapes of annotation files: how the rows of a JSON or CSV file are found in its text.

A task names each of its files once, as a :class:`JsonFile` or a :class:`CsvFile`;
:class:`egobench.annotations.Annotations` reads them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from egobench.errors import AnnotationFileError, JsonInputError, RecordError
from egobench.json_input import JsonValue, RepeatedKeys, find_fault, parse_json

Refuse = Callable[[RecordError], None]
"""What becomes of a malformed row: the error is raised, or noted and the row left out."""


class RawRow(NamedTuple):
    """One row of an annotation file, not checked yet.

    Attributes:
        name: What names it for a person, e.g. ``"row 17"``.
        fields: Its values by field.
    """

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A JSON file: a list of rows or, with ``key``, an object that holds a row under each key.

    Attributes:
        name: Its official name below the annotation folder.
        other_names: Names it has elsewhere; the first that is there is read.
        key: The field in which each row is given its key.
        value: The field in which each row is given its value, where the values are no objects.
        nested: The field of a row that lists the rows proper, which are given the row's other fields. Their position
            in the list, from 0, is their ``key``.
    """

    name: str
    other_names: tuple[str, ...] = ()
    key: str = ""
    value: str = ""
    nested: str = ""

    def rows(self, path: Path, text: str, columns: Iterable[str], refuse: Refuse) -> list[RawRow]:
        """The rows in the text of the file.

        Args:
            path: Of the file, for messages.
            text: Its text.
            columns: Fields that every row must have; JSON rows are checked one by one instead.
            refuse: Called with each malformed row.

        Raises:
            AnnotationFileError: If it is not JSON or of another shape.
        """
        del columns
        try:
            content = parse_json(text, str(path))
        except JsonInputError as error:
            raise AnnotationFileError(str(error)) from error
        rows: list[RawRow] = []
        for name, key, value in self._entries(path, content, refuse):
            fault = find_fault(value, finite=False)  # a field that is used says itself what it takes
            if fault is not None:
                refuse(RecordError(path, name, fault.place, fault.problem))
            elif self.value:
                rows.append(RawRow(name, {self.value: value, self.key: key}))
            elif not isinstance(value, dict):
                refuse(RecordError(path, name, "", f"expected an object, found {value!r:.80}"))
            else:
                rows.append(RawRow(name, {**value, self.key: key} if self.key else value))
        return rows

    def _entries(self, path: Path, content: JsonValue, refuse: Refuse) -> Iterator[tuple[str, str, JsonValue]]:
        """Name, key and value of each row."""
        keyed = bool(self.key) and not self.nested
        if keyed and isinstance(content, dict):
            if isinstance(content, RepeatedKeys):
                for repeated in content.repeated:
                    refuse(RecordError(path, f"key {repeated!r}", "", "comes twice in the file; expected once"))
            yield from ((f"key {key!r}", key, value) for key, value in content.items())
        elif not keyed and isinstance(content, list):
            for number, value in enumerate(content, 1):
                yield from (
                    self._members(path, f"row {number}", value, refuse)
                    if self.nested
                    else [(f"row {number}", "", value)]
                )
        else:
            shape = "an object with a row under each key" if keyed else "a list of rows"
            raise AnnotationFileError(f"{path}: expected {shape}, found {content!r:.80}")

    def _members(self, path: Path, name: str, row: JsonValue, refuse: Refuse) -> Iterator[tuple[str, str, JsonValue]]:
        members = row.get(self.nested) if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(members, list):
            refuse(RecordError(path, name, self.nested, f"expected an object with a list of rows, found {row!r:.80}"))
            return
        around = {field: value for field, value in row.items() if field != self.nested}
        for place, member in enumerate(members):
            value = {**around, **member} if isinstance(member, dict) else member
            yield f"{name}, {self.nested}[{place}]", str(place), value


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file with a header line.

    Attributes:
        name: Its official name below the annotation folder.
        other_names: Names it has elsewhere; the first that is there is read.
    """

    name: str
    other_names: tuple[str, ...] = ()

    def rows(self, path: Path, text: str, columns: Iterable[str], refuse: Refuse) -> list[RawRow]:
        """The rows in the text of the file.

        Args:
            path: Of the file, for messages.
            text: Its text.
            columns: Columns the header must have, in any order.
            refuse: Called with each malformed row.

        Raises:
            AnnotationFileError: If the header lacks a column or has one twice, or a quote is open at the end of the
                file.
        """
        stream = io.StringIO(text, newline="")
        reader = csv.reader(stream, strict=True)
        header: list[str] = []
        rows: list[RawRow] = []
        while stream.tell() < len(text):
            name = f"line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except csv.Error as error:
                if stream.tell() == len(text):
                    raise AnnotationFileError(f"{path}, {name}: not CSV ({error}); is the file truncated?") from error
                refuse(RecordError(path, name, "", f"not CSV ({error})"))
                continue
            if not header:
                header = _checked_header(path, cells, columns)
            elif cells and len(cells) != len(header):
                problem = f"{len(cells)} cells where the header has {len(header)}: columns are shifted"
                refuse(RecordError(path, name, "", problem))
            elif cells:
                rows.append(RawRow(name, dict(zip(header, cells, strict=True))))
        return rows


RowFile = JsonFile | CsvFile


def _checked_header(path: Path, header: list[str], columns: Iterable[str]) -> list[str]:
    missing = [column for column in columns if column not in header]
    if missing:
        raise AnnotationFileError(f"{path}: the header has no column {', '.join(map(repr, missing))}; it has {header}")
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise AnnotationFileError(f"{path}: the header has the column {repeated[0]!r} twice; it has {header}")
    return header
