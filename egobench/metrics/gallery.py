"""Metrics of whole galleries: every sample is a row of scores, every text of the gallery a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from egobench.errors import SampleSetError
from egobench.metrics.ranking import class_map, class_maps_of_rest
from egobench.sample import GalleryItem, Sample

if TYPE_CHECKING:
    import numpy as np

Relevance = Callable[[Sequence[Sample], Sequence[GalleryItem]], "np.ndarray"]
"""From samples and gallery to ``(n_samples, n_items)`` in [0, 1]."""


@dataclass(frozen=True, slots=True)
class RowMetric:
    """A metric that is the mean of one value a sample.

    Attributes:
        values: From scores and relevance, twice ``(n_samples, n_items)``, to ``(n_samples,)`` in [0, 1].
    """

    values: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class TableMetric:
    """A metric that is defined on all samples at once; samples without any relevance never change it.

    Attributes:
        value: From scores and relevance, twice ``(n_samples, n_items)``, to a number in [0, 1].
        without: From both and the sizes of consecutive groups of samples to the value without each group,
            ``(n_groups,)``.
    """

    value: Callable[[np.ndarray, np.ndarray], float]
    without: Callable[[np.ndarray, np.ndarray, Sequence[int]], np.ndarray]


GalleryMetric = RowMetric | TableMetric


def table_value(metric: GalleryMetric, scores: np.ndarray, relevance: np.ndarray) -> float:
    """The value of a metric of a whole table.

    Args:
        metric: The metric.
        scores: ``(n_samples, n_items)``, higher is better.
        relevance: ``(n_samples, n_items)`` in [0, 1].
    """
    if isinstance(metric, RowMetric):
        return float(metric.values(scores, relevance).mean())
    return metric.value(scores, relevance)


def tied_values(metrics: Mapping[str, GalleryMetric], relevance: np.ndarray) -> dict[str, float]:
    """The value of every metric under scores that are all equal; empty where nothing is relevant.

    Args:
        metrics: By name.
        relevance: ``(n_samples, n_items)`` in [0, 1].
    """
    import numpy as np  # noqa: PLC0415 - a task that names a gallery stays light

    if not relevance.any():
        return {}
    tied = np.zeros(relevance.shape, np.float32)
    return {name: table_value(metric, tied, relevance) for name, metric in metrics.items()}


def class_relevancy(samples: Sequence[Sample], items: Sequence[GalleryItem]) -> np.ndarray:
    """The relevancy of EPIC-KITCHENS, by the tags ``verb`` (one class) and ``noun`` (classes) of clips and captions.

    Raises:
        SampleSetError: If a clip or caption lacks one of the tags, or a class is no number.
    """
    from egobench.metrics.graded import relevancy  # noqa: PLC0415 - numpy

    def verbs(entries: Sequence[Sample] | Sequence[GalleryItem]) -> list[int]:
        return [_number(entry, "verb", _tag(entry, "verb")) for entry in entries]

    def nouns(entries: Sequence[Sample] | Sequence[GalleryItem]) -> list[frozenset[int]]:
        return [frozenset(_number(entry, "noun", noun) for noun in _tag(entry, "noun")) for entry in entries]

    return relevancy(verbs(samples), nouns(samples), verbs(items), nouns(items))


def _tag(entry: Sample | GalleryItem, name: str) -> str | tuple[str, ...]:
    if name not in entry.tags:
        raise SampleSetError(f"{entry.id!r} has no tag {name!r}, which its relevance follows from; build the set again")
    return entry.tags[name]


def _number(entry: Sample | GalleryItem, name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise SampleSetError(f"{entry.id!r}, tag {name!r}: {value!r:.80} is no class; build the set again") from error


def labels(tag: str) -> Relevance:
    """1 where an item's id is among a sample's tags of that name, else 0.

    Returns:
        The relevance. A sample without the tag, or with a label that is no item, is a
        :class:`~egobench.errors.SampleSetError`.
    """

    def relevance(samples: Sequence[Sample], items: Sequence[GalleryItem]) -> np.ndarray:
        import numpy as np  # noqa: PLC0415 - a task that names a gallery stays light

        column = {item.id: number for number, item in enumerate(items)}
        table = np.zeros((len(samples), len(items)))
        for row, sample in enumerate(samples):
            unknown = next((label for label in _tag(sample, tag) if label not in column), None)
            if unknown is not None:
                raise SampleSetError(
                    f"{sample.id!r}, tag {tag!r}: {unknown!r:.80} is not in the gallery; build it again"
                )
            table[row, [column[label] for label in sample.tags[tag]]] = 1.0
        return table

    return relevance


def _aps(scores: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    from egobench.metrics.graded import graded_aps  # noqa: PLC0415 - numpy

    return graded_aps(scores, relevance)


def _ndcgs(scores: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    from egobench.metrics.graded import graded_ndcgs  # noqa: PLC0415 - numpy

    return graded_ndcgs(scores, relevance)


graded_ap = RowMetric(_aps)
"""mAP of EPIC-KITCHENS: average precision built from graded relevance."""

graded_gain = RowMetric(_ndcgs)
"""nDCG of EPIC-KITCHENS, cut off at the number of relevant texts."""

class_ap = TableMetric(
    lambda scores, relevance: class_map(scores, relevance).mean,
    lambda scores, relevance, sizes: class_maps_of_rest(scores, relevance, sizes).mean,
)
"""mAP of Charades: mean over the classes that have positives."""

weighted_class_ap = TableMetric(
    lambda scores, relevance: class_map(scores, relevance).weighted,
    lambda scores, relevance, sizes: class_maps_of_rest(scores, relevance, sizes).weighted,
)
"""wAP of Charades: the same, weighted by the number of positives."""
