"""Reading official annotation files: every row checked, every mistake named by file, row and field.

A task's reader calls :meth:`Annotations.records` with a file, a pydantic model of what a row must hold, and a function
from such a row to a record. Nothing else opens an annotation file, so the hashes of the sources in the manifest are
complete, and ``--skip-bad`` means the same for every task. What several tasks read inside a field (texts, timestamps,
lettered answers) is in :mod:`egobench.annotations.fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from egobench.annotations.files import JsonFile, RawRow, RowFile
from egobench.errors import AnnotationFileError, RecordError
from egobench.sample import Record
from egobench.validation import first_fault


class Row(BaseModel):
    """What one row of an annotation file must hold; a task names the fields it uses, others are ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


OWN_CLUSTERS = "clips_as_clusters"
"""Fact of the manifest: how many records have their clip for a cluster because no file names its source video."""

R = TypeVar("R", bound=Row)
T = TypeVar("T")


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
    _first_places: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _kept: dict[RowFile, tuple[Path, list[RawRow]]] = field(default_factory=dict[RowFile, tuple[Path, list[RawRow]]])

    def has(self, file: RowFile) -> bool:
        """Whether a file is there, under any of its names."""
        return any((self.folder / name).is_file() for name in (file.name, *file.other_names))

    def records(self, file: RowFile, row: type[R], to_record: Callable[[R], Record | None]) -> Iterator[Record]:
        """Read a file and turn its rows into records.

        Args:
            file: The file.
            row: What a row must hold.
            to_record: From a checked row to its record, or ``None`` for a row that is rightly no sample. A
                ``ValueError`` it raises names a malformed row; :class:`FieldError` names the field too.

        Yields:
            One record per row.

        Raises:
            AnnotationFileError: If the file is missing, cannot be read, is of another shape, or holds no usable row.
            RecordError: At the first malformed row or repeated id, unless ``skip_bad`` is on.
        """
        path, raw_rows = self._rows(file, row)
        for raw in raw_rows:
            record = self._checked(path, raw, row, to_record)
            if record is None:
                continue
            place = f"{path.relative_to(self.folder).as_posix()}, {raw.name}"
            first_place = self._first_places.setdefault((record.subset, record.id), place)
            if first_place == place:
                yield record
            else:
                self.refuse(RecordError(path, raw.name, "", f"its id {record.id!r} was taken already by {first_place}"))

    def table(self, file: RowFile, row: type[R], key: Callable[[R], str]) -> dict[str, R]:
        """Read a file to look things up in, such as labels or frame rates.

        Args:
            file: The file.
            row: What a row must hold.
            key: The entry that a row stands under.

        Returns:
            The checked rows by key, in order.

        Raises:
            AnnotationFileError: If the file is missing, cannot be read, is of another shape, or holds no usable row.
            RecordError: At the first malformed row or repeated key, unless ``skip_bad`` is on.
        """
        path, raw_rows = self._rows(file, row)
        entries: dict[str, R] = {}
        for raw in raw_rows:
            entry = self._checked(path, raw, row, lambda entry: entry)
            if entry is not None and entries.setdefault(key(entry), entry) is not entry:
                self.refuse(RecordError(path, raw.name, "", f"{key(entry)!r} has an entry already; expected one"))
        return entries

    def convert(
        self, path: Path, raw_rows: Iterable[RawRow], row: type[R], to_value: Callable[[R], T | None]
    ) -> Iterator[T]:
        """Check raw rows from anywhere and turn them into values; nothing is remembered of a row once it is passed on.

        Args:
            path: Where the rows come from, for messages.
            raw_rows: The rows.
            row: What a row must hold.
            to_value: As for :meth:`records`.

        Yields:
            One value per row that gives any, in order.

        Raises:
            RecordError: At the first malformed row, unless ``skip_bad`` is on.
        """
        for raw in raw_rows:
            value = self._checked(path, raw, row, to_value)
            if value is not None:
                yield value

    def fields(self, file: JsonFile) -> frozenset[str]:
        """Names of the fields of a file's first row, by which a reader tells forms of a file apart.

        Raises:
            AnnotationFileError: As of :meth:`records`.
            RecordError: If a row is malformed as a whole, and ``skip_bad`` is off.
        """
        self._kept[file] = self._rows(file, Row)
        return frozenset(self._kept[file][1][0].fields)

    def text(self, *names: str) -> tuple[Path, str]:
        """The first of some files that is there, as text.

        Args:
            names: The official name first, then alternative ones.

        Raises:
            AnnotationFileError: If none is there, or the file cannot be opened, is empty or is not UTF-8.
        """
        name = next((name for name in names if (self.folder / name).is_file()), None)
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

    def drop(self, record_id: str, reason: str) -> None:
        """Note a row that is left out for a reason that is no mistake, e.g. a video without actions."""
        self.dropped.append({"id": record_id, "reason": reason})

    def note_own_clusters(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass records on, and note how many have their clip for a cluster because no file names its source video."""
        for record in records:
            if record.clip.video == f"{record.cluster}.mp4":
                self.facts[OWN_CLUSTERS] = self.facts.get(OWN_CLUSTERS, 0) + 1
            yield record

    def _rows(self, file: RowFile, row: type[Row]) -> tuple[Path, list[RawRow]]:
        if file in self._kept:
            return self._kept.pop(file)
        path, text = self.text(file.name, *file.other_names)
        columns = [name for name, value in row.model_fields.items() if value.is_required()]
        raw_rows = file.rows(path, text, columns, self.refuse)
        if not raw_rows:
            raise AnnotationFileError(f"{path}: holds no usable row; download it again")
        return path, raw_rows

    def _checked(self, path: Path, raw: RawRow, row: type[R], convert: Callable[[R], T | None]) -> T | None:
        try:
            return convert(row.model_validate(raw.fields))
        except ValidationError as error:
            fault = first_fault(error)
            value = f"the row has {', '.join(raw.fields)}" if fault.kind == "missing" else f"found {fault.value!r:.80}"
            self.refuse(RecordError(path, raw.name, fault.place, f"{fault.problem}; {value}"))
        except FieldError as error:
            self.refuse(RecordError(path, raw.name, error.field, error.problem))
        except ValueError as error:
            self.refuse(RecordError(path, raw.name, "", str(error)))
        return None

    def refuse(self, error: RecordError) -> None:
        """Raise the error of a malformed row or, with ``skip_bad``, note it among the dropped."""
        if not self.skip_bad:
            raise error
        place = f"field {error.field!r}: " if error.field else ""
        file = error.file.relative_to(self.folder) if error.file.is_relative_to(self.folder) else error.file
        self.drop(f"{file.as_posix()}, {error.row}", place + error.problem)


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
