"""Average precision class by class, of samples that are listed with some classes, as expected values over ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CELLS = 1 << 20
"""Groups times tie blocks in memory at a time: 8 MB an array."""


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


class Listing(NamedTuple):
    """Scores of samples for classes; a sample that is not listed with a class is a negative at minus infinity.

    Attributes:
        classes: ``(n_listed,)`` integers from 0.
        scores: ``(n_listed,)``, higher is better.
        positive: ``(n_listed,)`` booleans, whether the sample is of the class.
    """

    classes: np.ndarray
    scores: np.ndarray
    positive: np.ndarray


def class_map_of(listing: Listing, n_samples: int) -> ClassMap:
    """Class-wise mAP of a listing.

    Args:
        listing: The scores.
        n_samples: Number of samples ranked in every class.

    Raises:
        ValueError: If a score is not a number, or no class has a positive.
    """
    classes, scores, positive = listing
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
    summed = _block_precision(_Blocks(p, m, n, above[starts] - above[class_start]), _harmonic(n_samples))
    with_positives = positives > 0
    precision = np.bincount(block_class, weights=summed, minlength=len(positives))[with_positives]
    counts = positives[with_positives]
    return ClassMap(
        mean=float(np.mean(precision / counts)),
        weighted=float(precision.sum() / counts.sum()),
        n_classes=len(counts),
    )


class MapsWithout(NamedTuple):
    """Class-wise mean average precision without each group of samples, as of :class:`ClassMap`.

    Attributes:
        mean: ``(n_groups,)``; NaN where no class has a positive left.
        weighted: The same shape.
    """

    mean: np.ndarray
    weighted: np.ndarray


def class_maps_without(listing: Listing, groups: np.ndarray, sizes: Sequence[int]) -> MapsWithout:
    """Class-wise mAP without each group of samples: a class changes only without the groups that are listed with it.

    Args:
        listing: The scores, none of them NaN.
        groups: ``(n_listed,)`` integers from 0, group of the listed sample.
        sizes: Number of samples of each group.

    Returns:
        Means over the classes that still have positives.
    """
    n_samples, left = sum(sizes), sum(sizes) - np.asarray(sizes)
    harmonic = _harmonic(n_samples)
    summed, n_classes = np.zeros(len(sizes)), np.zeros(len(sizes), np.int64)
    summed_precision, n_positives = np.zeros(len(sizes)), np.zeros(len(sizes))
    order = np.lexsort((-listing.scores, listing.classes))
    for members in np.split(order, np.flatnonzero(np.diff(listing.classes[order])) + 1):
        scores, positive, group = listing.scores[members], listing.positive[members], groups[members]
        n_finite = int(np.count_nonzero(~np.isneginf(scores)))
        ranked = _ranked_without(scores[:n_finite], positive[:n_finite], group[:n_finite], (len(sizes), harmonic))
        positives_last = np.bincount(group[n_finite:], weights=positive[n_finite:], minlength=len(sizes))
        last = positives_last.sum() - positives_last
        precision, some = ranked.precision, np.flatnonzero(last)
        n, t = ranked.n[some], ranked.positives[some]
        precision[some] += _block_precision(_Blocks(last[some], left[some] - n, n, t), harmonic)
        positives = ranked.positives + last
        summed += precision / np.maximum(positives, 1)
        n_classes += positives > 0
        summed_precision += precision
        n_positives += positives
    with np.errstate(invalid="ignore"):
        return MapsWithout(summed / n_classes, summed_precision / n_positives)


class _Blocks(NamedTuple):
    """Tie blocks: positives and samples of each, samples and positives above it in its class."""

    p: np.ndarray
    m: np.ndarray
    n: np.ndarray
    t: np.ndarray


class _Ranked(NamedTuple):
    """A class without each group, of the samples above minus infinity: summed precision, samples, positives."""

    precision: np.ndarray
    n: np.ndarray
    positives: np.ndarray


def _ranked_without(
    scores: np.ndarray, positive: np.ndarray, groups: np.ndarray, totals: tuple[int, np.ndarray]
) -> _Ranked:
    """One class without each group, the listed samples sorted by score, best first."""
    n_groups, harmonic = totals
    if not len(scores):
        return _Ranked(np.zeros(n_groups), np.zeros(n_groups, np.int64), np.zeros(n_groups))
    blocks = np.cumsum(np.append(False, scores[1:] != scores[:-1]))
    n_blocks = int(blocks[-1]) + 1
    samples, positives = np.bincount(blocks), np.bincount(blocks, weights=positive)
    listed, row = np.unique(groups, return_inverse=True)
    whole = _summed(samples[None], positives[None], harmonic)
    result = _Ranked(*(np.repeat(part, n_groups) for part in whole))
    step = max(1, CELLS // n_blocks)
    for start in range(0, len(listed), step):
        rows = listed[start : start + step]
        chosen = (row >= start) & (row < start + step)
        cells, shape = (row[chosen] - start) * n_blocks + blocks[chosen], (len(rows), n_blocks)
        removed = np.bincount(cells, minlength=len(rows) * n_blocks).reshape(shape)
        removed_positives = np.bincount(cells, weights=positive[chosen], minlength=removed.size).reshape(shape)
        for part, without in zip(
            result, _summed(samples - removed, positives - removed_positives, harmonic), strict=True
        ):
            part[rows] = without
    return result


def _summed(m: np.ndarray, p: np.ndarray, harmonic: np.ndarray) -> _Ranked:
    """Sums over tie blocks, ``(n_rows, n_blocks)``, of one class."""
    n, t = np.cumsum(m, axis=1), np.cumsum(p, axis=1)
    added = _block_precision(_Blocks(p, m, n - m, t - p), harmonic)
    return _Ranked(added.sum(axis=1), n[:, -1], t[:, -1])


def _block_precision(blocks: _Blocks, harmonic: np.ndarray) -> np.ndarray:
    """What each tie block adds to the summed precision of its class.

    In a tie block of m samples, p of them positive, below n samples, t of them positive, the sample at place j is
    positive with probability p / m, and then (p - 1) (j - 1) / (m - 1) positives are expected above it in the block.
    So place j adds p / m (t + 1 + (p - 1) (j - 1) / (m - 1)) / (n + j), and the block, with D = H(n + m) - H(n) and
    harmonic numbers H, adds p / m ((t + 1) D + (p - 1) / (m - 1) (m - (n + 1) D)); one without samples adds nothing.
    """
    p, m, n, t = blocks
    d = harmonic[n + m] - harmonic[n]
    added: np.ndarray = p / np.maximum(m, 1) * ((t + 1) * d + (p - 1) / np.maximum(m - 1, 1) * (m - (n + 1) * d))
    return added


def _harmonic(most: int) -> np.ndarray:
    """Harmonic numbers from H(0) to H(most)."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + 1))])
