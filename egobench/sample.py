"""What flows through an evaluation: clips, records as published, and samples as models are asked them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

Tags = Mapping[str, str | tuple[str, ...]]
"""Labels to break scores down by, e.g. ``{"verb": "cut", "reasoning_type": ("state", "query")}``."""


MAX_NAME = 255
"""Bytes of a file name that every common file system takes."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of one video.

    Attributes:
        video: Path below the task's folder of videos, with ``/``, e.g. ``"P01/P01_11.MP4"``.
        start: Seconds from the first displayed frame, at least 0.
        end: Seconds from the first displayed frame; ``None`` means to the end of the file.

    Raises:
        ValueError: If the path may lie elsewhere or cannot be one, the times are not finite, or the clip ends before it
            starts.
    """

    video: str
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        """Refuse paths and times that no video can have."""
        problem = path_problem(self.video)
        if problem:
            raise ValueError(f"the video {self.video!r:.80} {problem}; expected a path below the folder of videos")
        if not math.isfinite(self.start) or self.start < 0:
            raise ValueError(f"the clip starts at {self.start} seconds; expected a number of at least 0")
        if self.end is not None and not (math.isfinite(self.end) and self.end >= self.start):
            raise ValueError(f"the clip ends at {self.end} seconds, before its start at {self.start} seconds")


@lru_cache(maxsize=4096)
def path_problem(path: str) -> str:
    """Why a text, with ``/``, is no path below a folder on a common file system; ``""`` where it is one."""
    parts = path.split("/")
    if path.startswith("/"):
        return "is an absolute path"
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty, . or .. part"
    if "\0" in path:
        return "holds a zero byte"
    if any(len(part.encode(errors="surrogatepass")) > MAX_NAME for part in parts):
        return f"has a name of more than {MAX_NAME} bytes"
    return ""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of an official annotation file, parsed and validated.

    Attributes:
        id: Unique within the subset and stable across releases of the data; never gives the answer away.
        clip: What the question is about.
        question: The question, without options or instructions.
        answer: The right answer in words; ``""`` when the authors keep it private.
        cluster: The source video: samples of one cluster are not independent.
        subset: The part of the task that gets a number of its own.
        options: The options that the authors published, in their order; else empty.
        target: Position of the right answer in ``options``; ``None`` without options or when it is private.
        tags: Labels to break scores down by.
        ordered: Whether the published options have an order to keep; where they come as right and wrong ones, it is
            drawn when samples are built.
    """

    id: str
    clip: Clip
    question: str
    answer: str
    cluster: str
    subset: str = "all"
    options: tuple[str, ...] = ()
    target: int | None = None
    tags: Tags = field(default_factory=dict[str, str | tuple[str, ...]])
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class GalleryItem:
    """One of the texts that every sample of a gallery is scored against: one column of the scores.

    Attributes:
        id: Unique in the gallery.
        text: The text.
        tags: What its relevance is told by.
    """

    id: str
    text: str
    tags: Tags = field(default_factory=dict[str, str | tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing that every model is asked: one line of ``samples.jsonl``.

    Attributes:
        id: The record's.
        task: The task's name.
        subset: The record's.
        video: The clip's video.
        start: The clip's start, in seconds.
        end: The clip's end, in seconds; ``None`` means the end of the file.
        question: The question.
        options: The options in the order they are shown; empty for an open question.
        target: Position of the right option; ``None`` for an open question or a private answer.
        answer: The right answer in words.
        relevance: One number in [0, 1] an option; ``None`` when only the target is relevant.
        cluster: The record's.
        tags: The record's.
    """

    id: str
    task: str
    subset: str
    video: str
    start: float
    end: float | None
    question: str
    options: tuple[str, ...]
    target: int | None
    answer: str
    relevance: tuple[float, ...] | None
    cluster: str
    tags: Tags

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object; its lists and tags are the sample's own."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Sample:
        """A sample from a line of ``samples.jsonl``.

        Raises:
            TypeError: If a key is missing or unknown.
        """
        labels: Mapping[str, str | list[str]] = row["tags"]
        tags = {key: tuple(value) if isinstance(value, list) else value for key, value in labels.items()}
        relevance = None if row["relevance"] is None else tuple(row["relevance"])
        fields: dict[str, Any] = {**row, "options": tuple(row["options"]), "relevance": relevance, "tags": tags}
        return cls(**fields)
