"""Annotation files that are too large to hold: rows one by one, hashed on the way, every fault named.

The rows go to :meth:`egobench.annotations.Annotations.convert`. A file's hash is in ``sources`` once it was read to its
end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from egobench.annotations import Annotations, RawRow
from egobench.errors import AnnotationFileError, JsonInputError, RecordError, TrainingDataError, install_command
from egobench.json_input import MAX_DEPTH, RepeatedKeys, find_fault, parse_json
from egobench.observer import Observer

ByteProgress = Callable[[int], None]
"""Told how many bytes more have been read."""


class _Commas(csv.Dialect):
    delimiter, quotechar, doublequote, quoting, lineterminator, strict = ",", '"', True, csv.QUOTE_MINIMAL, "\n", True


class _Semicolons(_Commas):
    delimiter, skipinitialspace = ";", True


class _Tabs(csv.Dialect):
    delimiter, quoting, lineterminator, strict = "\t", csv.QUOTE_NONE, "\n", True


_CELLS: Final[Mapping[str, type[csv.Dialect]]] = {",": _Commas, ";": _Semicolons, "\t": _Tabs}
_CHUNK: Final = 1 << 16
_MEGABYTE: Final = 1_000_000
_SLICE: Final = 2048
"""Bytes in which brackets are counted together: depth that comes and goes within them is no burden."""
_SUSPICIOUS: Final = 1000
"""Brackets left open at which the exact depth is found out."""


def in_megabytes(observer: Observer, path: Path) -> ByteProgress:
    """Tell an observer of a file as a part whose steps are megabytes."""
    size = path.stat().st_size if path.is_file() else 0
    observer.begin(f"{path.name}, in megabytes", -(-size // _MEGABYTE), 0)
    position = 0

    def advance(count: int) -> None:
        nonlocal position
        before, position = position, position + count
        steps = position // _MEGABYTE - before // _MEGABYTE
        if steps:
            observer.advance(steps)

    return advance


class _HashedFile(io.RawIOBase):
    """A file that is read once from its beginning, hashed, with its progress reported."""

    def __init__(self, path: Path, progress: ByteProgress | None) -> None:
        self._file, self._progress = path.open("rb"), progress
        self.digest = sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self.digest.update(memoryview(buffer)[:count])
        if self._progress is not None:
            self._progress(count)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _ShallowJson:
    """Reads JSON for ijson, whose memory grows with the square of the depth, and refuses it where it is too deep.

    Brackets are counted without a look at what they are part of; where there are many more opening than closing ones,
    which texts may be the reason of too, the depth is found out exactly.
    """

    def __init__(self, path: Path, stream: io.BufferedReader[_HashedFile]) -> None:
        self._path, self._stream = path, stream
        self._depth = self._position = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        for start in range(0, len(chunk), _SLICE):
            part = chunk[start : start + _SLICE]
            self._depth += part.count(b"[") + part.count(b"{") - part.count(b"]") - part.count(b"}")
            self._position += len(part)
            if self._depth > _SUSPICIOUS:
                self._depth = self._exact_depth()
        return chunk

    def _exact_depth(self) -> int:
        """Depth at the position.

        Raises:
            AnnotationFileError: If there is more anywhere before it than is allowed.
        """
        import ijson

        depth = 0
        with self._path.open("rb") as file, suppress(ijson.JSONError):
            for event, _ in ijson.basic_parse(_Beginning(file, self._position), use_float=True):
                depth += event in {"start_map", "start_array"}
                depth -= event in {"end_map", "end_array"}
                if depth > MAX_DEPTH:
                    problem = f"nested deeper than {MAX_DEPTH} lists and objects before byte {self._position}"
                    raise AnnotationFileError(f"{self._path}: {problem}; is it another file?")
        return depth


class _Beginning:
    """The first bytes of a file."""

    def __init__(self, file: io.BufferedReader[Any], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        return part


@contextmanager
def opened(
    files: Annotations, name: str, progress: ByteProgress | None
) -> Generator[tuple[Path, io.BufferedReader[_HashedFile]]]:
    """Open a file to read it once; its hash is among the sources once that was done to the end.

    Args:
        files: The folder of annotations.
        name: The file's name below it.
        progress: Told how many bytes more have been read.

    Raises:
        AnnotationFileError: If it is missing or empty, or cannot be read.
    """
    path = files.folder / name
    try:
        raw = _HashedFile(path, progress)
    except FileNotFoundError as error:
        raise AnnotationFileError(f"{path}: no such file; is {files.folder} the right folder?") from error
    except OSError as error:
        raise AnnotationFileError(f"{path}: cannot be read ({error.strerror})") from error
    with io.BufferedReader(raw, _CHUNK) as stream:
        if not stream.peek(1):
            raise AnnotationFileError(f"{path}: the file is empty; download it again")
        yield path, stream
        while stream.read(_CHUNK):
            pass
        files.sources[name] = raw.digest.hexdigest()


def is_there(files: Annotations, name: str) -> bool:
    """Whether a file is there."""
    return (files.folder / name).is_file()


def present(files: Annotations, names: Sequence[str]) -> str:
    """The first of some names of a file that is there.

    Raises:
        AnnotationFileError: If none is there.
    """
    for name in names:
        if is_there(files, name):
            return name
    raise AnnotationFileError(f"{files.folder}: no file {' or '.join(names)}; is this the right folder?")


def json_items(
    files: Annotations, name: str, *, prefix: str = "item", progress: ByteProgress | None = None
) -> Iterator[RawRow]:
    """The rows of a JSON list.

    Args:
        files: The folder of annotations.
        name: The file's name below it.
        prefix: Where the rows lie, as ijson names it: ``"item"`` for a list that is the whole file.
        progress: Told how many bytes more have been read.

    Raises:
        AnnotationFileError: If the file cannot be read, or is not JSON.
        RecordError: If a row is no object, and ``skip_bad`` is off; or a number in it is not JSON, as ``NaN``.
    """
    ijson = _ijson()
    with opened(files, name, progress) as (path, stream), _named_faults(path):
        number = 0
        for number, row in enumerate(ijson.items(_ShallowJson(path, stream), prefix, use_float=True), 1):
            fault = find_fault(row, finite=False)
            if fault is not None:
                files.refuse(RecordError(path, f"row {number}", fault.place, fault.problem))
            elif isinstance(row, dict):
                yield RawRow(f"row {number}", row)
            else:
                files.refuse(RecordError(path, f"row {number}", "", f"expected an object, found {row!r:.80}"))
        if number == 0:
            raise AnnotationFileError(f"{path}: holds no list of rows; is it another file, or empty?")


def json_members(
    files: Annotations, name: str, *, prefix: str, progress: ByteProgress | None = None
) -> Iterator[tuple[str, Any]]:
    """The members of a JSON object, by key; unlike rows, they are passed on without a look at their depth.

    Args:
        files: The folder of annotations.
        name: The file's name below it.
        prefix: Where the object lies, as ijson names it.
        progress: Told how many bytes more have been read.

    Raises:
        AnnotationFileError: If the file cannot be read, or is not JSON.
        RecordError: If a number in it is not JSON, as ``NaN``.
    """
    ijson = _ijson()
    with opened(files, name, progress) as (path, stream), _named_faults(path):
        yield from ijson.kvitems(_ShallowJson(path, stream), prefix, use_float=True)


def json_leaves(files: Annotations, name: str, *, prefixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The texts that lie anywhere below some members of a JSON object, with where they lie as ijson names it.

    Args:
        files: The folder of annotations.
        name: The file's name below it.
        prefixes: The members.

    Raises:
        AnnotationFileError: If the file cannot be read, or is not JSON.
    """
    ijson = _ijson()
    starts = tuple(f"{prefix}." for prefix in prefixes)
    with opened(files, name, None) as (path, stream), _named_faults(path):
        for place, event, value in ijson.parse(_ShallowJson(path, stream), use_float=True):
            if event == "string" and place.startswith(starts):
                yield place, value


def json_lines(files: Annotations, name: str, *, progress: ByteProgress | None = None) -> Iterator[RawRow]:
    """The rows of a JSON Lines file; empty lines are passed over.

    Raises:
        AnnotationFileError: If the file cannot be read, or holds no usable row.
        RecordError: If a line is not UTF-8 or no JSON object, and ``skip_bad`` is off.
    """
    usable = False
    with opened(files, name, progress) as (path, stream):
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = parse_json(line.strip(), f"{path}, line {number}")
            except JsonInputError as error:
                files.refuse(RecordError(path, f"line {number}", "", f"{error.problem} ({error.place})"))
                continue
            if isinstance(row, RepeatedKeys):
                files.refuse(RecordError(path, f"line {number}", row.repeated[0], "comes twice in the row"))
            elif isinstance(row, dict):
                usable = True
                yield RawRow(f"line {number}", dict(row))
            else:
                files.refuse(RecordError(path, f"line {number}", "", f"expected an object, found {line!r:.80}"))
        if not usable:
            raise AnnotationFileError(f"{path}: holds no usable row; download it again")


def delimited_rows(
    files: Annotations,
    name: str,
    *,
    delimiter: str,
    columns: Sequence[str],
    header: bool = True,
    progress: ByteProgress | None = None,
) -> Iterator[RawRow]:
    """The rows of a file of cells.

    Args:
        files: The folder of annotations.
        name: The file's name below it.
        delimiter: A comma, a semicolon or a tab; quotes have a meaning of their own but among tabs.
        columns: Columns that the header must have; without a header, the columns in their order.
        header: Whether the first line names the columns.
        progress: Told how many bytes more have been read.

    Raises:
        AnnotationFileError: If the file cannot be read, is not UTF-8, lacks a column, or holds no usable row.
        RecordError: If a row has more or fewer cells than there are columns, and ``skip_bad`` is off.
    """
    names, usable = ([] if header else list(columns)), False
    with opened(files, name, progress) as (path, stream):
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, _CELLS[delimiter])
        while True:
            row = f"line {reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except UnicodeDecodeError as error:
                raise AnnotationFileError(
                    f"{path}, {row} or a little below: not UTF-8; convert it, e.g. iconv -f latin1 -t utf-8"
                ) from error
            except csv.Error as error:
                files.refuse(RecordError(path, row, "", f"cells cannot be told apart ({error})"))
                continue
            if cells is None:
                break
            if not names:
                names = [cell.strip().lstrip("# ") for cell in cells]
                _require(path, names, columns)
            elif cells and len(cells) != len(names):
                problem = f"{len(cells)} cells where there are {len(names)} columns: columns are shifted"
                files.refuse(RecordError(path, row, "", problem))
            elif cells:
                usable = True
                yield RawRow(row, dict(zip(names, cells, strict=True)))
        text.detach()
    if not usable:
        raise AnnotationFileError(f"{path}: holds no usable row; download it again")


def _require(path: Path, names: Sequence[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in names]
    if missing:
        names_missing = ", ".join(map(repr, missing))
        raise AnnotationFileError(f"{path}: the header has no column {names_missing}; it has {list(names)!r:.200}")


# --- Where a JSON file breaks off ------------------------------------------------------------------------------------


@contextmanager
def _named_faults(path: Path) -> Generator[None]:
    """Name file, row and field of what is not JSON; the file is read once more up to there, event by event."""
    import ijson

    try:
        yield
    except ijson.JSONError as error:
        words = error.args[0] if error.args else ""
        words = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        reason = " ".join(words.partition("\n")[0].split()) or "broken"
        if "EOF" in reason or "incomplete" in reason.lower():
            raise AnnotationFileError(f"{path}: not JSON ({reason}); is the file truncated?") from error
        row, key = _last_place(path)
        remedy = f"not JSON ({reason}); JSON knows neither NaN nor Infinity: mend the value, or take the row out"
        if "UTF8" in reason:
            remedy = "not UTF-8; convert the file, e.g. iconv -f latin1 -t utf-8"
        elif "overflow" in reason:
            remedy = f"a number of more than 64 bits ({reason}); mend the value, or take the row out"
        raise RecordError(path, row, key, remedy) from error


def _last_place(path: Path) -> tuple[str, str]:
    """The row and field that were begun last before the file stops to be JSON."""
    import ijson

    counts: dict[str, int] = {}
    place, key = "", ""
    with path.open("rb") as stream, suppress(ijson.JSONError):
        # Without floats a whole number of 4,301 digits ends the process: int() refuses it, and ijson 3.6 goes on.
        for at, event, value in ijson.parse(stream, use_float=True):
            place, key = at, value if event == "map_key" else ""
            if event == "start_array":
                counts[f"{at}.item" if at else "item"] = 0
            elif at in counts and event in {"start_map", "string", "number", "boolean", "null"}:
                counts[at] += 1
    parts = place.split(".")
    names = [str(counts.get(".".join(parts[: depth + 1]), part)) for depth, part in enumerate(parts)]
    return (f"row {'.'.join(names)}" if parts[0] == "item" else ".".join(names)), key


def _ijson() -> Any:
    if find_spec("ijson") is None:
        raise TrainingDataError(f"reading large JSON files needs ijson; {install_command('train')}")
    import ijson

    return ijson
