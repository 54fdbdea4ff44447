"""EGTEA Gaze+: which action is it? From a split of clips or, where it is not there or not meant, the raw annotations.

``raw_annotations/action_labels.csv``, cells apart by semicolons, has every annotated action with its time in the
session's video. ``action_annotation/`` has 106 classes and splits of clips cut out beforehand:
``OP01-R01-PastaSalad-1002316-1004005-F024051-F024101 <action> <verb> <noun> ...``, numbers from 1 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from egobench.annotations import Annotations, FieldError, RawRow, Row
from egobench.annotations.fields import Text
from egobench.errors import RecordError
from reference_exo2ego.data.egoit.question_answer import QuestionAnswer, SourceFiles
from reference_exo2ego.data.streaming import delimited_rows, is_there

NAME: Final = "egtea"
RAW: Final = "raw_annotations/action_labels.csv"
CLASSES: Final = "action_annotation/action_idx.txt"
SPLIT: Final = "action_annotation/{split}_split1.txt"
QUESTION: Final = "What activities am I engaged in?"
COLUMNS: Final = {
    "clip_id": "Clip ID",
    "session": "Video Session",
    "start": "Starting Time (ms)",
    "end": "Ending Time (ms)",
    "action": "Action Label",
}

_CLIP: Final = re.compile(r"(?P<session>.+)-\d+-\d+-F\d+-F\d+")
_CLASS: Final = re.compile(r"(?P<label>\S.*\S)\s+(?P<number>\d{1,9})")


class RawAction(Row):
    """One row of the raw annotations."""

    clip_id: Text = Field(validation_alias="Clip ID")
    session: Text = Field(validation_alias="Video Session")
    start: Annotated[float, Field(validation_alias="Starting Time (ms)", ge=0)]
    end: Annotated[float, Field(validation_alias="Ending Time (ms)", ge=0)]
    action: Text = Field(validation_alias="Action Label")


class SplitClip(Row):
    """One line of a split."""

    clip: Text
    action: int


def read(source: SourceFiles, splits: tuple[str, ...], *, raw: bool) -> Iterator[QuestionAnswer]:
    """Read the clips of the first official split or, where it is not there or not meant, the raw annotations.

    Args:
        source: The files.
        splits: Of train and test; the raw annotations know none.
        raw: Read the raw annotations in any case.

    Raises:
        AnnotationError: If a file or, without ``skip_bad``, a row cannot be used.
    """
    files = source.annotations
    if not raw and is_there(files, CLASSES):
        yield from _splits(files, splits)
        return
    columns, progress = tuple(COLUMNS.values()), source.progress(RAW)
    rows = delimited_rows(files, RAW, delimiter=";", columns=columns, progress=progress)
    yield from files.convert(files.folder / RAW, rows, RawAction, _raw_question)


def _raw_question(row: RawAction) -> QuestionAnswer:
    if row.end <= row.start:
        raise FieldError(COLUMNS["end"], f"{row.end:g} is not after {COLUMNS['start']}, {row.start:g}")
    return QuestionAnswer(
        id=f"{NAME}_{row.clip_id}",
        video=f"videos/{row.session}.mp4",
        question=QUESTION,
        answer=in_words(row.action),
        instructions=NAME,
        start=row.start / 1000,
        end=row.end / 1000,
    )


def _splits(files: Annotations, splits: tuple[str, ...]) -> Iterator[QuestionAnswer]:
    path, text = files.text(CLASSES)
    classes: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _CLASS.fullmatch(line.strip())
        if match:
            classes[int(match["number"])] = in_words(match["label"])
        elif line.strip():
            problem = f"expected a label and its number, as 'Take eating_utensil 1', found {line!r:.80}"
            files.refuse(RecordError(path, f"line {number}", "", problem))
    for split in splits:
        name = SPLIT.format(split=split)
        path, text = files.text(name)
        rows = _split_rows(files, path, text)
        yield from files.convert(path, rows, SplitClip, partial(_clip_question, classes=classes))


def _split_rows(files: Annotations, path: Path, text: str) -> Iterator[RawRow]:
    for number, line in enumerate(text.splitlines(), 1):
        clip, *numbers = line.split() or [""]
        if len(numbers) >= 3:
            yield RawRow(f"line {number}", {"clip": clip, "action": numbers[0]})
        elif clip:
            problem = f"expected a clip, then the numbers of action, verb and nouns, found {line!r:.80}"
            files.refuse(RecordError(path, f"line {number}", "", problem))


def _clip_question(row: SplitClip, classes: dict[int, str]) -> QuestionAnswer:
    match = _CLIP.fullmatch(row.clip)
    if match is None:
        raise FieldError("clip", f"{row.clip!r} is no name such as OP01-R01-PastaSalad-1002316-1004005-F024051-F024101")
    if row.action not in classes:
        raise FieldError("action", f"{row.action} is the number of no class in {CLASSES}; it has {len(classes)}")
    return QuestionAnswer(
        id=f"{NAME}_{row.clip}",
        video=f"cropped_clips/{match['session']}/{row.clip}.mp4",
        question=QUESTION,
        answer=classes[row.action],
        instructions=NAME,
    )


def in_words(label: str) -> str:
    """A label as a sentence: ``"Take eating_utensil"`` becomes ``"Take eating utensil."``."""
    words = " ".join(label.replace("_", " ").split())
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
