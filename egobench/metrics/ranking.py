"""Ranking metrics, as expected values over the order of tied scores.

File order never decides: a reply that names one option puts it first and leaves the rest tied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from egobench.metrics import MeanMetric, ScoredSample, SetMetric

if TYPE_CHECKING:
    import numpy as np


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


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Class-wise mean average precision.

    Attributes:
        mean: Mean of the average precision over classes that have positives, in [0, 1].
        weighted: The same, weighted by the number of positives.
        n_classes: Number of classes averaged.
    """

    mean: float
    weighted: float
    n_classes: int


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
    import numpy as np  # noqa: PLC0415 - a task that names a metric stays light

    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth).astype(bool)
    if scores.shape != truth.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and truth {truth.shape}; expected twice (n_samples, n_classes)")
    ranked = np.where(truth.any(axis=1, keepdims=True), scores, -np.inf)
    n_samples, n_classes = scores.shape
    classes = np.tile(np.arange(int(n_classes)), n_samples)
    return _class_map(classes, ranked.ravel(), truth.ravel(), n_samples)


def _class_map(classes: np.ndarray, scores: np.ndarray, positive: np.ndarray, n_samples: int) -> ClassMap:
    """Class-wise mAP from listed scores; a sample that is not listed with a class is a negative at minus infinity.

    In a tie block of m samples, p of them positive, below n samples, t of them positive, the sample at place j is
    positive with probability p / m, and then (p - 1) (j - 1) / (m - 1) positives are expected above it in the block.
    So place j adds p / m (t + 1 + (p - 1) (j - 1) / (m - 1)) / (n + j), and the block, with D = H(n + m) - H(n) and
    harmonic numbers H, adds p / m ((t + 1) D + (p - 1) / (m - 1) (m - (n + 1) D)).

    Args:
        classes: ``(n_listed,)`` integers from 0.
        scores: ``(n_listed,)``.
        positive: ``(n_listed,)`` booleans.
        n_samples: Number of samples ranked in every class.
    """
    import numpy as np  # noqa: PLC0415

    if np.isnan(scores).any():
        raise ValueError("a score is not a number; expected higher is better, or minus infinity for ranked last")
    positives = np.bincount(classes, weights=positive)
    if not positives.any():
        raise ValueError("no class has a positive, so there is nothing to average")
    order = np.lexsort((-scores, classes))
    classes, scores, positive = classes[order], scores[order], positive[order]
    new_class = np.diff(classes, prepend=-1) != 0
    starts = np.flatnonzero(new_class | np.append(True, scores[1:] != scores[:-1]))
    block_class, p = classes[starts], np.add.reduceat(positive, starts, dtype=np.float64)
    class_start = np.flatnonzero(new_class)[np.cumsum(new_class[starts]) - 1]
    n = starts - class_start
    m = np.where(np.isneginf(scores[starts]), n_samples - n, np.diff(starts, append=len(classes)))
    above = np.cumsum(positive) - positive
    t = above[starts] - above[class_start]
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n_samples + 1))])
    d = harmonic[n + m] - harmonic[n]
    summed = p / m * ((t + 1) * d + (p - 1) / np.maximum(m - 1, 1) * (m - (n + 1) * d))
    with_positives = positives > 0
    precision = np.bincount(block_class, weights=summed, minlength=len(positives))[with_positives]
    counts = positives[with_positives]
    return ClassMap(
        mean=float(np.mean(precision / counts)),
        weighted=float(precision.sum() / counts.sum()),
        n_classes=len(counts),
    )


def _over_options(scored_samples: Sequence[ScoredSample]) -> float:
    import numpy as np  # noqa: PLC0415

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
    return _class_map(np.array(classes), np.array(scores), np.array(positive), len(scored_samples)).mean


def graded_map(scores: np.ndarray, relevance: np.ndarray) -> float:
    """The mAP of EPIC-KITCHENS: mean of :func:`egobench.metrics.graded.graded_aps`.

    Args:
        scores: ``(n_queries, n_gallery)``, higher is better.
        relevance: ``(n_queries, n_gallery)`` in [0, 1].

    Raises:
        ValueError: If shapes differ, a number is not finite, or a query has no item of relevance 1.
    """
    from egobench.metrics.graded import graded_aps  # noqa: PLC0415 - numpy

    return float(graded_aps(scores, relevance).mean())


def graded_ndcg(scores: np.ndarray, relevance: np.ndarray) -> float:
    """The nDCG of EPIC-KITCHENS: mean of :func:`egobench.metrics.graded.graded_ndcgs`.

    Args:
        scores: ``(n_queries, n_gallery)``, higher is better.
        relevance: ``(n_queries, n_gallery)`` in [0, 1].

    Raises:
        ValueError: If shapes differ, a number is not finite, or a query has no item of relevance above 0.
    """
    from egobench.metrics.graded import graded_ndcgs  # noqa: PLC0415 - numpy

    return float(graded_ndcgs(scores, relevance).mean())


options_class_map = SetMetric("mcq", _over_options)
"""Class-wise mAP over option scores: every option's text is a class, the target is a sample's one label.

Classes that are not among a sample's options score minus infinity; a sample that was not answered is last everywhere.
"""
