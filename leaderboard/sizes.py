"""Sizes of sample sets, beside those that the paper's Table 2 prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet

from .ledger import PublishedSize, read_ledger, read_sizes


class Size(NamedTuple):
    """The size of a sample set.

    Attributes:
        videos: Number of distinct videos.
        clips: Number of distinct clips.
        seconds: Mean length of a clip; ``None`` where annotations do not say where clips end.
        questions: Number of samples.
    """

    videos: int
    clips: int
    seconds: float | None
    questions: int


class SizeRow(NamedTuple):
    """A sample set's size beside the printed one.

    Attributes:
        name: Task and construction.
        own: The size of the set.
        printed: The size in the paper's Table 2; ``None`` for a task that it does not have.
    """

    name: str
    own: Size
    printed: PublishedSize | None


def measure_size(sample_set: SampleSet) -> Size:
    """Measure a sample set; a clip of several samples counts once."""
    clips = {(sample.video, sample.start, sample.end) for sample in sample_set.samples}
    lengths = [end - start for _, start, end in clips if end is not None]
    seconds = sum(sorted(lengths)) / len(lengths) if lengths else None
    return Size(len({video for video, _, _ in clips}), len(clips), seconds, len(sample_set.samples))


def sizes_table(sets: Iterable[SampleSet]) -> list[SizeRow]:
    """Measure several sets, and put the printed sizes beside them."""
    tasks = {number.benchmark: number.id.part.task for number in read_ledger() if number.id}
    printed = {tasks[size.benchmark]: size for size in read_sizes()}
    return [
        SizeRow(sample_set.name, measure_size(sample_set), printed.get(sample_set.manifest.task)) for sample_set in sets
    ]
