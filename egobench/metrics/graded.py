"""The official metrics of EPIC-KITCHENS-100 multi-instance retrieval: a whole gallery ranked, relevance in grades.

Ties count as their expected value over random order, where the official code depends on the sort.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

ROWS = 256
"""Queries in memory at a time: 8 MB an array for a gallery of 3,842 captions."""


def relevancy(
    verbs: Sequence[int],
    nouns: Sequence[frozenset[int]],
    gallery_verbs: Sequence[int],
    gallery_nouns: Sequence[frozenset[int]],
) -> np.ndarray:
    """How far captions describe clips: ``1/2 [same verb] + 1/2 |common nouns| / |all nouns|``, by class.

    Formula: ``create_relevancy_files.py`` of mwray/Joint-Part-of-Speech-Embeddings.

    Args:
        verbs: Verb class of each clip.
        nouns: Noun classes of each clip.
        gallery_verbs: Verb class of each caption.
        gallery_nouns: Noun classes of each caption.

    Returns:
        ``(n_clips, n_captions)`` float64 in [0, 1].
    """
    classes = sorted(frozenset[int]().union(*nouns, *gallery_nouns))
    clips, captions = _members(nouns, classes), _members(gallery_nouns, classes)
    spoken, spoken_of = np.asarray(verbs), np.asarray(gallery_verbs)
    relevance = np.empty((len(clips), len(captions)))
    for start in range(0, len(clips), ROWS):
        rows = slice(start, start + ROWS)
        common = clips[rows] @ captions.T
        union = clips[rows].sum(axis=1)[:, None] + captions.sum(axis=1)[None] - common
        alike = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        relevance[rows] = 0.5 * (spoken[rows, None] == spoken_of[None]) + 0.5 * alike
    return relevance


def graded_aps(scores: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Average precision of each query, with precision built from graded relevance.

    ``AP = (1 / R) sum over ranks k with r_k = 1 of (1 / k) sum_{j <= k} r_j``, ``R`` the number of ``r = 1``; formula:
    ``src/evaluation/mAP.py`` of mwray/Joint-Part-of-Speech-Embeddings. In a tie block of m items, p of them with
    ``r = 1`` and s the sum of their relevance, below n items of summed relevance S, the item at place j has ``r = 1``
    with probability p / m, and S + 1 + (s - 1) (j - 1) / (m - 1) is then expected up to and with it.

    Args:
        scores: ``(n_queries, n_gallery)``, higher is better.
        relevance: ``(n_queries, n_gallery)`` in [0, 1].

    Returns:
        ``(n_queries,)`` in [0, 1].

    Raises:
        ValueError: If shapes differ, a number is not finite, or a query has no item of relevance 1.
    """
    _check(scores, relevance)
    full = (relevance == 1).sum(axis=1)
    if not full.all():
        raise ValueError(f"query {int(np.argmin(full))} has no item of relevance 1, so no average precision")
    return _by_block(scores, relevance, _aps)


def graded_ndcgs(scores: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """NDCG of each query: gain r, discount ``log2(k + 1)``, cut off at the number of items with relevance above 0.

    Formula: ``src/evaluation/nDCG.py`` of mwray/Joint-Part-of-Speech-Embeddings.

    Args:
        scores: ``(n_queries, n_gallery)``, higher is better.
        relevance: ``(n_queries, n_gallery)`` in [0, 1].

    Returns:
        ``(n_queries,)`` in [0, 1].

    Raises:
        ValueError: If shapes differ, a number is not finite, or a query has no item of relevance above 0.
    """
    _check(scores, relevance)
    some = (relevance > 0).sum(axis=1)
    if not some.all():
        raise ValueError(f"query {int(np.argmin(some))} has no item of relevance above 0, so no nDCG")
    return _by_block(scores, relevance, _ndcgs)


def _members(sets: Sequence[frozenset[int]], classes: Sequence[int]) -> np.ndarray:
    place = {each: number for number, each in enumerate(classes)}
    membership = np.zeros((len(sets), len(classes)))
    for row, members in enumerate(sets):
        membership[row, [place[each] for each in members]] = 1.0
    return membership


def _check(scores: np.ndarray, relevance: np.ndarray) -> None:
    if scores.shape != relevance.shape or scores.ndim != 2:
        raise ValueError(
            f"scores {scores.shape} and relevance {relevance.shape}; expected twice (n_queries, n_gallery)"
        )
    for name, values in (("scores", scores), ("relevance", relevance)):
        for start in range(0, len(values), ROWS):
            bad = np.argwhere(~np.isfinite(values[start : start + ROWS]))
            if len(bad):
                raise ValueError(f"{name}[{start + bad[0][0]}, {bad[0][1]}] is not a finite number")
    if relevance.size and not (relevance.min() >= 0 and relevance.max() <= 1):
        raise ValueError(f"relevance lies in [{relevance.min()}, {relevance.max()}]; expected [0, 1]")


def _by_block(
    scores: np.ndarray, relevance: np.ndarray, compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    def values() -> Iterator[np.ndarray]:
        for start in range(0, len(scores), ROWS):
            part, gains = scores[start : start + ROWS], relevance[start : start + ROWS].astype(np.float64)
            order = np.argsort(-part, axis=1)
            yield compute(np.take_along_axis(part, order, axis=1), np.take_along_axis(gains, order, axis=1))

    # A perfect ranking may round to a little more than 1.
    return np.minimum(np.concatenate(list(values())), 1.0) if len(scores) else np.zeros(0)


def _ties(ranked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First place in the flattened rows of each tie block, and its size."""
    first = np.ones(ranked.shape, bool)
    first[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    starts = np.flatnonzero(first)
    return starts, np.diff(starts, append=ranked.size)


def _aps(ranked: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    starts, sizes = _ties(ranked)
    n_gallery = ranked.shape[1]
    # Only blocks that hold a full hit count, and there are few.
    hits = np.flatnonzero(relevance.ravel() == 1)
    blocks, p = np.unique(np.searchsorted(starts, hits, side="right") - 1, return_counts=True)
    first, m = starts[blocks], sizes[blocks]
    n = first % n_gallery
    summed = np.cumsum(relevance, axis=1).ravel()
    above = np.where(n > 0, summed[first - 1], 0.0)
    s = summed[first + m - 1] - above
    harmonic = np.concatenate([np.zeros(1), np.cumsum(1 / np.arange(1, int(n_gallery) + 1))])
    d = np.where(m == 1, 1 / (n + 1), harmonic[n + m] - harmonic[n])
    gained = p / m * ((above + 1) * d + (s - 1) / np.maximum(m - 1, 1) * (m - (n + 1) * d) * (m > 1))
    n_hits = np.bincount(hits // n_gallery, minlength=len(ranked))
    return np.asarray(np.bincount(first // n_gallery, weights=gained, minlength=len(ranked)) / n_hits)


def _ndcgs(ranked: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    starts, sizes = _ties(ranked)
    gains = relevance
    if len(starts) < ranked.size:
        gains = np.repeat(np.add.reduceat(relevance.ravel(), starts) / sizes, sizes).reshape(relevance.shape)
    positions = np.arange(int(relevance.shape[1]))
    discount = 1 / np.log2(positions + 2)
    counted = positions < (relevance > 0).sum(axis=1)[:, None]
    ideal = np.sort(relevance, axis=1)[:, ::-1]
    return np.asarray((gains * counted) @ discount / ((ideal * counted) @ discount))
