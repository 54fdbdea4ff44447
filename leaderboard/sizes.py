"""How large sample sets are: the paper's Table 2, measured on one's own sets, beside what is printed there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet

from .ledger import PublishedSize, read_ledger, read_sizes


class Size(NamedTuple):
    """The size of a set of questions.

    Attributes:
        videos: Distinct videos.
        clips: Distinct stretches of them.
        seconds: Mean length of a clip; ``None`` where annotations do not say where clips end.
        questions: Samples.
    """

    videos: int
    clips: int
    seconds: float | None
    questions: int


class SizeRow(NamedTuple):
    """A sample set's size beside the printed one.

    Attributes:
        name: Task and construction.
        own: What is in the set.
        printed: What the paper's Table 2 says; ``None`` for a task that it does not have.
    """

    name: str
    own: Size
    printed: PublishedSize | None


def measure_size(sample_set: SampleSet) -> Size:
    """The size of a sample set; a clip that several samples are about counts once."""
    clips = {(sample.video, sample.start, sample.end) for sample in sample_set.samples}
    lengths = [end - start for _, start, end in clips if end is not None]
    seconds = sum(sorted(lengths)) / len(lengths) if lengths else None
    return Size(len({video for video, _, _ in clips}), len(clips), seconds, len(sample_set.samples))


def sizes_table(sets: Iterable[SampleSet]) -> list[SizeRow]:
    """The sizes of several sets, beside the printed ones."""
    tasks = {number.benchmark: number.id.part.task for number in read_ledger() if number.id}
    printed = {tasks[size.benchmark]: size for size in read_sizes()}
    return [
        SizeRow(sample_set.name, measure_size(sample_set), printed.get(sample_set.manifest.task)) for sample_set in sets
    ]
