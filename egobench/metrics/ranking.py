"""Ranking metrics, as expected values over the order of tied scores.

File order never decides: a reply that names one option puts it first and leaves the rest tied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from egobench.metrics import MeanMetric, ScoredSample, SetMetric

if TYPE_CHECKING:
    import numpy as np

    from egobench.metrics.class_wise import ClassMap, Listing, MapsWithout


def possible_ranks(scored: ScoredSample) -> range:
    """The ranks, from 1, that the target can take when tied options stand in random order.

    Args:
        scored: One sample.

    Returns:
        Equally likely ranks; empty for a sample that was not answered or whose target is unknown.

    Raises:
        ValueError: If there is not one score an option, or one is not a number.
    """
    scores, target = scored.scores, scored.sample.target
    if scored.outcome != "answered" or scores is None or target is None:
        return range(0)
    n_options = len(scored.sample.options)
    if len(scores) != n_options or any(math.isnan(score) for score in scores):
        raise ValueError(
            f"sample {scored.sample.id!r}: scores {scores}; expected a number for each of {n_options} options"
        )
    above = sum(score > scores[target] for score in scores)
    return range(above + 1, above + scores.count(scores[target]) + 1)


def _average_precision(scored: ScoredSample) -> float:
    ranks = possible_ranks(scored)
    return fmean(1 / rank for rank in ranks) if ranks else 0.0


def _ndcg(scored: ScoredSample) -> float:
    ranks = possible_ranks(scored)
    return fmean(1 / math.log2(1 + rank) for rank in ranks) if ranks else 0.0


single_positive_ap = MeanMetric("mcq", _average_precision, of_scores=True)
"""Average precision where the target alone is relevant: 1 / rank."""

single_positive_ndcg = MeanMetric("mcq", _ndcg, of_scores=True)
"""nDCG where the target alone is relevant: 1 / log2(1 + rank)."""


def class_map(scores: np.ndarray, truth: np.ndarray) -> ClassMap:
    """Class-wise mAP of Charades: samples are ranked class by class.

    ``AP_c = (1 / P_c) sum over positives i of (positives ranked at or above i) / (rank of i)``, as in the official
    ``Charades_v1_classify.m``: samples without any label rank last, as do scores of minus infinity. Unlike there,
    classes without positives are left out, and ties count as their expected value.

    Args:
        scores: ``(n_samples, n_classes)``, higher is better, may be minus infinity.
        truth: ``(n_samples, n_classes)``, true or 1 where the class is present.

    Returns:
        The mean, with the number of classes it is over.

    Raises:
        ValueError: If shapes differ, a score is not a number, or no class has a positive.
    """
    from egobench.metrics.class_wise import class_map_of  # noqa: PLC0415 - numpy; a task that names a metric stays light

    return class_map_of(_table_listing(scores, truth), len(scores))


def class_maps_of_rest(scores: np.ndarray, truth: np.ndarray, sizes: Sequence[int]) -> MapsWithout:
    """Class-wise mAP of Charades without each of consecutive groups of samples.

    Args:
        scores: As of :func:`class_map`.
        truth: As of :func:`class_map`.
        sizes: Number of samples of each group.

    Raises:
        ValueError: If shapes differ.
    """
    import numpy as np  # noqa: PLC0415 - as above

    from egobench.metrics.class_wise import class_maps_without  # noqa: PLC0415 - as above

    listing = _table_listing(scores, truth)
    groups = np.repeat(np.arange(len(sizes)), np.asarray(sizes) * int(scores.shape[1]))
    return class_maps_without(listing, groups, sizes)


def _table_listing(scores: np.ndarray, truth: np.ndarray) -> Listing:
    """Every cell of a table as a listed score, row by row."""
    import numpy as np  # noqa: PLC0415 - as above

    from egobench.metrics.class_wise import Listing  # noqa: PLC0415 - as above

    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth).astype(bool)
    if scores.shape != truth.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and truth {truth.shape}; expected twice (n_samples, n_classes)")
    ranked = np.where(truth.any(axis=1, keepdims=True), scores, -np.inf)
    n_samples, n_classes = scores.shape
    classes = np.tile(np.arange(int(n_classes)), n_samples)
    return Listing(classes, ranked.ravel(), truth.ravel())


def _over_options(scored_samples: Sequence[ScoredSample]) -> float:
    from egobench.metrics.class_wise import class_map_of  # noqa: PLC0415 - numpy

    return class_map_of(_listed(scored_samples)[0], len(scored_samples)).mean


def _over_options_without(scored_samples: Sequence[ScoredSample], sizes: Sequence[int]) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    from egobench.metrics.class_wise import class_maps_without  # noqa: PLC0415

    listing, places = _listed(scored_samples)
    return class_maps_without(listing, np.repeat(np.arange(len(sizes)), sizes)[places], sizes).mean


def _listed(scored_samples: Sequence[ScoredSample]) -> tuple[Listing, np.ndarray]:
    """Every option as a class, and the place of the sample that it is an option of."""
    import numpy as np  # noqa: PLC0415

    from egobench.metrics.class_wise import Listing  # noqa: PLC0415

    number: dict[str, int] = {}
    classes: list[int] = []
    scores: list[float] = []
    positive: list[bool] = []
    for scored in scored_samples:
        sample = scored.sample
        option_scores = scored.scores if possible_ranks(scored) else (-math.inf,) * len(sample.options)
        for position, (option, score) in enumerate(zip(sample.options, option_scores or (), strict=True)):
            classes.append(number.setdefault(option, len(number)))
            scores.append(score)
            positive.append(position == sample.target)
    n_options = [len(scored.sample.options) for scored in scored_samples]
    places = np.repeat(np.arange(len(scored_samples)), n_options)
    return Listing(np.array(classes), np.array(scores), np.array(positive)), places


options_class_map = SetMetric("mcq", _over_options, _over_options_without)
"""Class-wise mAP over option scores: every option's text is a class, the target is a sample's one label.

Classes that are not among a sample's options score minus infinity; a sample that was not answered is last everywhere.
"""
