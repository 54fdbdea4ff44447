"""Captioned videos and pictures of the web: tables of path and caption, or webdataset tars.

They are what the two encoders are initialised on beside EgoClip (section 4.1 of arXiv 2503.09143): any exocentric
pairs, as WebVid, OpenVid or LLaVA's pictures come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePosixPath
from tarfile import TarError
from typing import Any, Final, Literal

from pydantic import ConfigDict

from egobench.annotations import Annotations, FieldError, RawRow, Row
from egobench.errors import (
    AnnotationFileError,
    JsonInputError,
    RecordError,
    TrainingDataError,
    bare_reason,
    install_command,
)
from egobench.json_input import read_json
from egobench.whole_file import replace_file
from reference_exo2ego.data.samples import Modality, TrainingSample, question_and_answer
from reference_exo2ego.data.streaming import ByteProgress, delimited_rows, json_lines, opened

IMAGES: Final = frozenset({"bmp", "gif", "jpeg", "jpg", "png", "webp"})
VIDEOS: Final = frozenset({"avi", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm"})
TABLES: Final = {".csv": ",", ".tsv": "\t"}
TAR_BLOCK: Final = 512
"""A tar ends with two blocks of zeros of this many bytes."""


class PairRow(Row):
    """One row of a table, whatever its columns are called."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def text(self, column: str) -> str:
        """The words in a column.

        Raises:
            FieldError: If there are none.
        """
        value = (self.model_extra or {}).get(column)
        if not isinstance(value, str) or not value.strip():
            raise FieldError(column, f"expected words, found {value!r:.80}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise FieldError(column, f"{value!r:.80} holds half a character (a lone surrogate)")
        return value.strip()


@dataclass(frozen=True, slots=True)
class PairColumns:
    """How captioned pairs are read.

    Attributes:
        media: The column, or JSON field, with the path.
        caption: The column, or JSON field, with the words.
        source: The name of the data set.
        view: Whose encoder learns from them.
    """

    media: str = "path"
    caption: str = "caption"
    source: str = "pairs"
    view: Literal["ego", "exo"] = "exo"


@dataclass
class PairFile:
    """One file of captioned pairs.

    Attributes:
        path: ``.csv``, ``.tsv``, ``.jsonl``, ``.tar`` or ``.tar.gz``.
        media: Folder of the videos and pictures. Those of a table are looked for there, where it is given; those of a
            tar are written there.
        columns: How it is read.
        skip_bad: Leave malformed rows out.
        progress: Told how many bytes more have been read.
        annotations: What is noted while it is read.
    """

    path: Path
    media: Path | None
    columns: PairColumns
    skip_bad: bool = False
    progress: ByteProgress | None = None
    annotations: Annotations = field(init=False)

    def __post_init__(self) -> None:
        """Begin to take notes."""
        self.annotations = Annotations(self.path.parent, skip_bad=self.skip_bad)

    def samples(self) -> Iterator[TrainingSample]:
        """Read the pairs one by one.

        Raises:
            AnnotationError: If the file or, without ``skip_bad``, a row cannot be used.
            TrainingDataError: If it is a tar, and its media cannot be written.
            ValueError: If it is of no kind that is known, or a tar without a folder for its media.
        """
        suffix = self.path.suffix.lower()
        columns = (self.columns.media, self.columns.caption)
        if suffix in TABLES:
            rows: Iterator[RawRow] = delimited_rows(
                self.annotations, self.path.name, delimiter=TABLES[suffix], columns=columns, progress=self.progress
            )
        elif suffix == ".jsonl":
            rows = json_lines(self.annotations, self.path.name, progress=self.progress)
        elif suffix == ".tar" or self.path.name.lower().endswith((".tar.gz", ".tgz")):
            yield from self._tar_samples()
            return
        else:
            raise ValueError(f"{self.path}: expected a file .csv, .tsv, .jsonl, .tar or .tar.gz")
        yield from self.annotations.convert(self.path, rows, PairRow, self._listed)

    def _listed(self, row: PairRow) -> TrainingSample:
        path, caption = row.text(self.columns.media), row.text(self.columns.caption)
        modality = modality_of(path, column=self.columns.media)
        self._require(path)
        return self._sample(path, path, caption, modality)

    def _sample(self, name: str, path: str, caption: str, modality: Modality) -> TrainingSample:
        return TrainingSample(
            id=f"{self.columns.source}_{name}",
            media=path,
            modality=modality,
            turns=question_and_answer("", " ".join(caption.split()), modality=modality),
            source=self.columns.source,
            facts={"view": self.columns.view},
        )

    def _require(self, path: str) -> None:
        if self.media is None:
            return
        whole = self.media / path
        if not whole.exists():
            raise FieldError(self.columns.media, f"{whole} is not there; download it, or see to the folder of media")
        if whole.is_file() and whole.stat().st_size == 0:
            raise FieldError(self.columns.media, f"{whole} is empty; download it again")

    # --- Tars --------------------------------------------------------------------------------------------------------

    def _tar_samples(self) -> Iterator[TrainingSample]:
        if self.media is None:
            raise ValueError(f"{self.path}: a tar needs a folder to write its media to")
        _require_whole(self.path)
        usable = False
        for number, members in enumerate(self._members(), 1):
            row = f"sample {number} ({members['__key__']})"
            try:
                yield self._unpacked(members, self.media)
                usable = True
            except FieldError as error:
                self.annotations.refuse(RecordError(self.path, row, error.field, error.problem))
        if not usable:
            raise AnnotationFileError(f"{self.path}: holds no usable pair; expected members such as 0001.mp4, 0001.txt")

    def _members(self) -> Iterator[dict[str, Any]]:
        try:
            shards: Any = import_module("webdataset.tariterators")  # slow to import
        except ImportError as error:
            raise TrainingDataError(f"reading tars needs webdataset; {install_command('train')}") from error
        files, name = self.annotations, self.path.name
        try:
            with opened(files, name, self.progress) as (_, stream):
                members = ({**member, "__url__": name} for member in shards.tar_file_iterator(stream))
                yield from shards.group_by_keys(members)
        except (OSError, EOFError, TarError, ValueError) as error:
            raise AnnotationFileError(
                f"{self.path}: cannot be read as a webdataset tar ({bare_reason(error)})"
            ) from error

    def _unpacked(self, members: Mapping[str, Any], folder: Path) -> TrainingSample:
        key = PurePosixPath(members["__key__"])
        if key.is_absolute() or ".." in key.parts:
            raise FieldError("__key__", f"{str(key)!r} leads out of the folder of media")
        media = [name for name in members if name.rpartition(".")[2] in IMAGES | VIDEOS]
        if len(media) != 1:
            names = ", ".join(name for name in members if not name.startswith("__"))
            raise FieldError("", f"{len(media)} videos or pictures among its members {names}; expected one")
        if not members[media[0]]:
            raise FieldError(media[0], "is empty; download the tar again")
        caption = _caption(members, self.columns.caption)
        path = f"{self.path.name.partition('.')[0]}/{key}.{media[0]}"
        _write(folder / path, members[media[0]])
        return self._sample(path, path, caption, modality_of(path, column=media[0]))


def modality_of(path: str, *, column: str) -> Modality:
    """Whether a path names a video or a picture, by the ending of its name.

    Raises:
        FieldError: If it is neither.
    """
    ending = path.rpartition(".")[2].lower()
    if ending in VIDEOS:
        return "video"
    if ending in IMAGES:
        return "image"
    endings = ", ".join(sorted(VIDEOS | IMAGES))
    raise FieldError(column, f"{path!r} names neither a video nor a picture; known endings: {endings}")


def _caption(members: Mapping[str, Any], name: str) -> str:
    field_name = next((member for member in ("txt", "caption") if member in members), f"json.{name}")
    text: Any = None
    if field_name in members:
        text = _text(members[field_name], field_name)
    else:
        if "json" not in members:
            raise FieldError("txt", f"no member txt or json holds a caption; there are {', '.join(members)}")
        try:
            content = read_json(members["json"], "the member json")
        except JsonInputError as error:
            raise FieldError("json", error.problem) from error
        text = content.get(name) if isinstance(content, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise FieldError(field_name, f"expected words, found {text!r:.80}")
    return text


def _text(raw: bytes, member: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FieldError(member, f"not UTF-8 at byte {error.start}; convert it") from error


def _write(path: Path, content: bytes) -> None:
    """Write a file unless it is there in full length."""
    try:
        if path.is_file() and path.stat().st_size == len(content):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise TrainingDataError(f"{path}: cannot be written ({error.strerror}); check permissions and space") from error


def _require_whole(path: Path) -> None:
    """Refuse a tar without its end; readers take what there is for all of it."""
    try:
        if path.suffix.lower() != ".tar":
            return
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAR_BLOCK, 0))
            last = file.read()
    except FileNotFoundError as error:
        raise AnnotationFileError(f"{path}: no such file") from error
    except OSError as error:
        raise AnnotationFileError(f"{path}: cannot be read ({error.strerror})") from error
    if len(last) != TAR_BLOCK or any(last):
        raise AnnotationFileError(f"{path}: a tar without its end: it is truncated; download it again")
