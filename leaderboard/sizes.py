"""How large sample sets are: the paper's Table 2, measured on one's own sets, beside what is printed there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet


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


PRINTED = {
    "charades-ego": Size(846, 846, 10.8, 846),
    "egomcq": Size(827, 39_716, 0.8, 39_716),
    "egoplan": Size(678, 3_339, 668.0, 3_339),
    "egoschema": Size(5_031, 5_031, 180.0, 5_031),
    "egotaskqa": Size(2_257, 19_182, 36.9, 19_182),
    "epic-kitchens-mir": Size(138, 9_668, 3.7, 9_668),
    "qaego4d": Size(166, 1_854, 310.0, 1_854),
    "vln-qa": Size(200, 200, 7.5, 200),
}
"""Table 2 of arXiv 2503.09143 (v1), by task."""


class SizeRow(NamedTuple):
    """A sample set's size beside the printed one.

    Attributes:
        name: Task and construction.
        own: What is in the set.
        printed: What Table 2 says; ``None`` for a task that it does not have.
    """

    name: str
    own: Size
    printed: Size | None


def measure_size(sample_set: SampleSet) -> Size:
    """The size of a sample set; a clip that several samples are about counts once."""
    clips = {(sample.video, sample.start, sample.end) for sample in sample_set.samples}
    lengths = [end - start for _, start, end in clips if end is not None]
    seconds = sum(sorted(lengths)) / len(lengths) if lengths else None
    return Size(len({video for video, _, _ in clips}), len(clips), seconds, len(sample_set.samples))


def sizes_table(sets: Iterable[SampleSet]) -> list[SizeRow]:
    """The sizes of several sets, beside the printed ones."""
    return [
        SizeRow(sample_set.name, measure_size(sample_set), PRINTED.get(sample_set.manifest.task)) for sample_set in sets
    ]
