"""Sample sets that come from a disk: every sample and every text of a gallery is checked before a model is asked it.

A set may have been written by another version, by another program, or by somebody who means harm: a video must lie
below the folder of videos, a target must be the place of an option, an id must name one sample.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from egobench.errors import JsonInputError, SampleSetError, UnknownPluginError
from egobench.json_input import JsonLine, JsonValue, may_exceed, read_json, read_json_lines
from egobench.plugins import load_task
from egobench.prompts import LETTERS
from egobench.sample import Clip, GalleryItem, Sample
from egobench.validation import first_fault

T = TypeVar("T")

AGAIN = "build the set again"

Name = Annotated[str, Field(strict=True, min_length=1)]
Words = Annotated[str, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
TagValues = dict[Name, Words | tuple[Words, ...]]


@with_config(ConfigDict(extra="forbid"))
class SampleLine(TypedDict):
    """What a line of ``samples.jsonl`` must hold."""

    id: Name
    task: Name
    subset: Name
    video: Name
    start: Number
    end: Number | None
    question: Words
    options: Annotated[tuple[Words, ...], Field(max_length=len(LETTERS))]
    target: Annotated[int, Field(strict=True, ge=0)] | None
    answer: Words
    relevance: tuple[Annotated[Number, Field(ge=0, le=1)], ...] | None
    cluster: Name
    tags: TagValues


def _check_line(line: SampleLine) -> SampleLine:
    """Compare the fields of a line with one another."""
    Clip(line["video"], line["start"], line["end"])
    n_options, target, relevance = len(line["options"]), line["target"], line["relevance"]
    if n_options == 1:
        raise ValueError("one option is no choice; expected none or at least 2")
    if target is not None and target >= n_options:
        raise ValueError(f"target {target} is the place of none of {n_options} options")
    if relevance is not None and len(relevance) != n_options:
        raise ValueError(f"{len(relevance)} relevances; expected one per option, {n_options}")
    return line


class GalleryText(BaseModel):
    """What an entry of ``gallery.json`` must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    text: Words
    tags: TagValues


_LINE: TypeAdapter[SampleLine] = TypeAdapter(Annotated[SampleLine, AfterValidator(_check_line)])

_TEXTS = 7
"""Fields of a line that are one text."""


def read_samples(content: bytes, path: Path, *, task: str, subsets: Collection[str]) -> tuple[Sample, ...]:
    """The samples of ``samples.jsonl``, checked.

    Args:
        content: The bytes of the file.
        path: Of the file, for messages.
        task: The task they must be of.
        subsets: The subsets they may be of.

    Raises:
        SampleSetError: If a line is no sample, a sample is of another task or subset, its id comes twice, its video
            leaves the folder of videos, no video has its times, it has one option or more than there are letters, or
            its target or relevance does not fit the options. The message names file, line and sample.
    """
    samples: dict[tuple[str, str], Sample] = {}
    for number, text in enumerate(content.split(b"\n"), 1):
        if not text.strip():
            continue
        line = _plain_line(text) or _any_line(text, f"{path}, line {number}")
        problem = ""
        if line["task"] != task:
            problem = f"is of task {line['task']!r}, the manifest of {task!r}"
        elif line["subset"] not in subsets:
            problem = f"subset {line['subset']!r} is not one of the manifest's"
        elif (line["subset"], line["id"]) in samples:
            problem = f"its id comes twice in subset {line['subset']!r}"
        if problem:
            raise SampleSetError(f"{path}, line {number}, sample {line['id']!r:.80}: {problem}; {AGAIN}")
        samples[line["subset"], line["id"]] = Sample(**line)
    if not samples:
        raise SampleSetError(f"{path}: holds no sample; {AGAIN}")
    return tuple(samples.values())


def _plain_line(text: bytes) -> SampleLine | None:
    """A line whose JSON can be checked while it is parsed; ``None`` for one that takes a closer look.

    Without a backslash every quotation mark begins or ends a text, so that a key that comes twice is told by their
    number.
    """
    try:
        if b"\\" in text or may_exceed(text.decode()):
            return None
        line = _LINE.validate_json(text)
    except (UnicodeDecodeError, ValidationError):
        return None
    tags = line["tags"].values()
    n_texts = len(line) + _TEXTS + len(line["options"]) + len(tags)
    n_texts += sum(1 if isinstance(values, str) else len(values) for values in tags)
    return line if text.count(b'"') == 2 * n_texts else None


def _any_line(text: bytes, place: str) -> SampleLine:
    """A line of any form.

    Raises:
        SampleSetError: If it is no sample; the message says why.
    """
    try:
        value = read_json(text, place)
    except JsonInputError as error:
        raise SampleSetError(f"the sample set is damaged: {error}; {AGAIN}") from error
    named = f", sample {value['id']!r:.80}" if isinstance(value, dict) and "id" in value else ""
    return validate_json(_LINE, value, f"{place}{named}")


def read_gallery(content: bytes, path: Path) -> tuple[GalleryItem, ...]:
    """The texts of ``gallery.json``, checked.

    Args:
        content: The bytes of the file.
        path: Of the file, for messages.

    Raises:
        SampleSetError: If it is no list of texts with ids and tags, or an id comes twice.
    """
    items: dict[str, GalleryItem] = {}
    for text in validate_json(TypeAdapter(list[GalleryText]), read_file(content, path), str(path)):
        if text.id in items:
            raise SampleSetError(f"{path}: the id {text.id!r} comes twice; {AGAIN}")
        items[text.id] = GalleryItem(text.id, text.text, text.tags)
    return tuple(items.values())


def read_file(content: bytes, path: Path) -> JsonValue:
    """The JSON of a file of a sample set.

    Raises:
        SampleSetError: If it is no JSON, or beyond the limits of :mod:`egobench.json_input`.
    """
    try:
        return read_json(content, str(path))
    except JsonInputError as error:
        raise SampleSetError(f"the sample set is damaged: {error}; {AGAIN}") from error


def validate_json(kind: TypeAdapter[T], value: Any, place: str) -> T:
    """A value of the kind that is expected.

    Raises:
        SampleSetError: If it is of another kind.
    """
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        fault = first_fault(error)
        where = f", field {fault.place!r}" if fault.path else ""
        value = "" if fault.kind in {"missing", "value_error"} else f", found {fault.value!r:.80}"
        raise SampleSetError(f"{place}{where}: the sample set is damaged ({fault.problem}{value}); {AGAIN}") from error


def check_subsets(task: str, subsets: Iterable[str], folder: Path) -> None:
    """Refuse subsets that the task does not declare: none of their samples would be scored, without a word.

    Args:
        task: The task's name; nothing is checked for a task that is not installed.
        subsets: Subsets of a sample set.
        folder: Of the set, for the message.

    Raises:
        SampleSetError: If there is such a subset.
    """
    try:
        declared = [subset.name for subset in load_task(task).subsets]
    except UnknownPluginError:
        return
    unknown = [subset for subset in subsets if subset not in declared]
    if unknown:
        raise SampleSetError(
            f"the sample set in {folder} has a subset {unknown[0]!r} that task {task!r} does not declare; it declares "
            f"{', '.join(declared)}; {AGAIN}"
        )


def read_lines(content: bytes, path: Path) -> Iterator[JsonLine]:
    """The lines of a JSON Lines file of a sample set.

    Raises:
        SampleSetError: If a line is no JSON, or beyond the limits of :mod:`egobench.json_input`.
    """
    try:
        yield from read_json_lines(content, str(path))
    except JsonInputError as error:
        raise SampleSetError(f"the sample set is damaged: {error}; {AGAIN}") from error
