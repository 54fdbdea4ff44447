r"""Training samples on disk: the conversations that VideoLLaMA2 users have, with fields added and none changed.

A file is a JSON list or JSON Lines, as its name says. One row::

    {"id": "...", "video": "videos/a.mp4",
     "conversations": [{"from": "human", "value": "<video>\n..."}, {"from": "gpt", "value": "..."}],
     "start": 1.2, "end": 2.0, "exo": [{"camera": "cam01", "video": "videos/b.mp4"}], "source": "ego-exoclip", ...}

``image`` may stand for ``video``; a row without either is text alone. ``start`` and ``end`` are seconds in that very
file and may be left out for the whole of it; a view under ``exo`` has times of its own only where they differ. Any
further field is kept as it is, under :attr:`TrainingSample.facts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from egobench.annotations import Annotations, FieldError, RawRow, Row
from egobench.annotations.fields import Id, Seconds, Text
from egobench.errors import AnnotationFileError, TrainingDataError
from egobench.json_input import find_fault
from egobench.whole_file import replacing
from reference_exo2ego.data.streaming import ByteProgress, json_items, json_lines

Modality = Literal["video", "image", "text"]

TAGS: Final[Mapping[Modality, str]] = {"video": "<video>\n", "image": "<image>\n", "text": ""}
"""What stands before the first question, where the frames or the picture go."""


class SyncedView(NamedTuple):
    """Another camera's file of the moments that a training sample shows.

    Attributes:
        camera: The camera's name.
        video: Path below the folder of videos.
        start: Seconds in this file; ``None`` for the sample's own.
        end: Seconds in this file; ``None`` for the sample's own.
    """

    camera: str
    video: str
    start: float | None = None
    end: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The view as a JSON object, without times that are the sample's own."""
        times = {} if self.start is None and self.end is None else {"start": self.start, "end": self.end}
        return {"camera": self.camera, "video": self.video, **times}


class Times(NamedTuple):
    """A stretch of a file.

    Attributes:
        start: Seconds; ``None`` for the beginning of the file.
        end: Seconds; ``None`` for the end of the file.
    """

    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """A video, a picture, or neither, and what is said about it.

    Attributes:
        id: Unique in its file.
        media: Path of the video or picture below the folder of videos; ``""`` for text alone.
        modality: What ``media`` is.
        turns: Questions and answers by turns, the question first; the first begins with the tag of the modality.
        start: Seconds; ``None`` for the beginning of the file.
        end: Seconds; ``None`` for the end of the file.
        exo: Exocentric files of the same moments.
        source: The data set it comes from.
        facts: Further fields of the row.
    """

    id: str
    media: str
    modality: Modality
    turns: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    exo: tuple[SyncedView, ...] = ()
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def times_of(self, view: SyncedView) -> Times:
        """Return what a view shows of its file: its own times, and the sample's where it has none."""
        return Times(self.start if view.start is None else view.start, self.end if view.end is None else view.end)

    def to_json(self) -> dict[str, Any]:
        """The sample as a row."""
        row: dict[str, Any] = {"id": self.id}
        if self.media:
            row[self.modality] = self.media
        row["conversations"] = [
            {"from": "gpt" if number % 2 else "human", "value": text} for number, text in enumerate(self.turns)
        ]
        if self.start is not None or self.end is not None:
            row |= {"start": self.start, "end": self.end}
        if self.exo:
            row["exo"] = [view.to_json() for view in self.exo]
        if self.source:
            row["source"] = self.source
        return row | dict(self.facts)


def question_and_answer(question: str, answer: str, *, modality: Modality = "video") -> tuple[str, str]:
    """The two turns of a sample with one question."""
    return TAGS[modality] + question, answer


class _Turn(BaseModel):
    model_config = ConfigDict(frozen=True)

    speaker: Literal["human", "gpt"] = Field(validation_alias=AliasChoices("from", "speaker"))
    value: str


class _View(Row):
    camera: str = ""
    video: Text
    start: Seconds | None = None
    end: Seconds | None = None


class _SampleRow(Row):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="allow")

    id: Id
    video: Text | None = None
    image: Text | None = None
    conversations: tuple[_Turn, ...] = Field(min_length=2)
    start: Seconds | None = None
    end: Seconds | None = None
    exo: tuple[_View, ...] = ()
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, row: Any) -> Any:
        """EgoExoLearn's own conversations name a video as ``"image": {"video": ...}``."""
        inner = row.get("image") if isinstance(row, dict) else None
        return {**row, "image": None, "video": inner["video"]} if isinstance(inner, dict) and "video" in inner else row


def _sample(row: _SampleRow) -> TrainingSample:
    speakers = [turn.speaker for turn in row.conversations]
    if speakers != ["human", "gpt"] * (len(speakers) // 2):
        raise FieldError("conversations", f"the speakers are {', '.join(speakers)}; expected human, gpt by turns")
    if row.video and row.image:
        raise FieldError("image", "the row has a video too; expected one of the two")
    if row.start is not None and row.end is not None and row.end < row.start:
        raise FieldError("end", f"{row.end:g} lies before start, {row.start:g}")
    facts = row.model_extra or {}
    if (fault := find_fault(facts)) is not None:
        raise FieldError(fault.place.removeprefix("."), fault.problem)
    modality: Modality = "video" if row.video else "image" if row.image else "text"
    sample = TrainingSample(
        id=row.id,
        media=row.video or row.image or "",
        modality=modality,
        turns=tuple(turn.value for turn in row.conversations),
        start=row.start,
        end=row.end,
        exo=tuple(SyncedView(view.camera, view.video, view.start, view.end) for view in row.exo),
        source=row.source,
        facts=facts,
    )
    for number, view in enumerate(sample.exo):
        start, end = sample.times_of(view)
        if start is not None and end is not None and end < start:
            raise FieldError(f"exo.{number}.end", f"{end:g} lies before start, {start:g}")
    return sample


def read_samples(
    path: Path, *, skip_bad: bool = False, progress: ByteProgress | None = None
) -> Iterator[TrainingSample]:
    """Read training samples one by one, ours or those of VideoLLaMA2 and LLaVA.

    Args:
        path: A file ``.json`` or ``.jsonl``.
        skip_bad: Pass over malformed rows instead of raising.
        progress: Told how many bytes more have been read.

    Raises:
        AnnotationFileError: If the file cannot be read or is of another kind.
        RecordError: At the first malformed row, unless ``skip_bad`` is on.
    """
    files = Annotations(path.parent, skip_bad=skip_bad)
    rows: Iterator[RawRow]
    if path.suffix == ".jsonl":
        rows = json_lines(files, path.name, progress=progress)
    elif path.suffix == ".json":
        rows = json_items(files, path.name, progress=progress)
    else:
        raise AnnotationFileError(f"{path}: training samples lie in a file .json or .jsonl")
    return files.convert(path, rows, _SampleRow, _sample)


def sample_of(row: Mapping[str, Any]) -> TrainingSample:
    """A training sample of a row that was read before.

    Raises:
        pydantic.ValidationError: If it is malformed.
    """
    return _sample(_SampleRow.model_validate(row))


class SampleWriter:
    """Writes training samples to a file that appears, or replaces an earlier one, once all of them are written.

    Used as a context manager. Several processes may write the same file; the last one's stays.

    Attributes:
        path: The file: ``.jsonl`` gets a row a line, ``.json`` a list of rows.
        count: Samples written so far.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix not in {".json", ".jsonl"}:
            raise ValueError(f"{path}: expected a name that ends in .json or .jsonl")
        self.path, self.count = path, 0
        self._between = b"\n" if path.suffix == ".jsonl" else b",\n"

    def __enter__(self) -> Self:
        """Open a file beside the one that will be.

        Raises:
            TrainingDataError: If it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                self._file = stack.enter_context(stack.enter_context(replacing(self.path)).open("wb"))
                self._writing = stack.pop_all()
        except OSError as error:
            raise self._cannot(error) from error
        return self

    def write(self, sample: TrainingSample) -> None:
        """Write one sample.

        Raises:
            TrainingDataError: If there is no space left, or the disk fails.
        """
        row = sample.to_json()
        try:
            line = to_json(row)
        except ValueError:  # half a character, which JSON can spell and UTF-8 cannot
            line = json.dumps(row, ensure_ascii=False).encode(errors="replace")
        begin = (b"[\n" if self.path.suffix == ".json" else b"") if self.count == 0 else self._between
        try:
            self._file.write(begin + line)
        except OSError as error:
            raise self._cannot(error) from error
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the file into its place, or take it away where something failed."""
        if kind is not None:
            self._writing.__exit__(kind, error, trace)
            return
        ending = b"[]\n" if self.count == 0 else b"\n]\n"
        try:
            with self._writing:
                self._file.write(ending if self.path.suffix == ".json" else b"\n" if self.count else b"")
        except OSError as failure:
            raise self._cannot(failure) from failure

    def _cannot(self, error: OSError) -> TrainingDataError:
        return TrainingDataError(f"{self.path}: cannot be written ({error.strerror}); check permissions and space")
