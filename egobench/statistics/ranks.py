"""Rank sets: the ranks that a run can have, given that differences are known with an error (PROTOCOL section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egobench.statistics.clustered import EXACT, LEVEL
from egobench.statistics.resampling import REPLICATES, Influence


@dataclass(frozen=True, slots=True)
class RankSet:
    """The ranks that a run can have.

    Attributes:
        best: 1 plus the number of runs that are better than it for sure.
        worst: The number of runs minus those that are worse than it for sure.
    """

    best: int
    worst: int

    def __str__(self) -> str:
        """As shown: ``"1-3"``, or ``"2"`` where only one rank is possible."""
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


def rank_sets(influence: Influence, *, seed: int = 0) -> list[RankSet]:
    """Rank sets that are right together in 95 % of all cases.

    All pairs of runs are compared at once: a pair is apart if the size of its clustered t is above the 95 % quantile of
    the largest t of any pair in a bootstrap that all pairs share (max-T; Mogstad, Romano, Shaikh and Wilhelm 2024, one
    step). In each replicate the sign of every cluster's influence is drawn anew and errors are computed again (wild
    cluster bootstrap-t of Cameron, Gelbach and Miller 2008), which holds the level with ten clusters too; drawing the
    clusters themselves does not. Pairs without an error are apart if the sign test of the clusters says so after
    division by the number of pairs.

    Args:
        influence: A number of at least one run, higher is better.
        seed: Of the bootstrap.

    Returns:
        One a run.
    """
    n_clusters, n_runs = influence.by_cluster.shape
    first, second = np.triu_indices(n_runs, 1)
    effect = influence.values[first] - influence.values[second]
    squares = ((influence.by_cluster[:, first] - influence.by_cluster[:, second]) ** 2).sum(axis=0)
    known = squares > EXACT**2
    apart = (np.abs(effect) > EXACT) & (2 * 0.5**n_clusters <= (1 - LEVEL) / max(1, len(first)))
    if known.any() and n_clusters > 1:
        pairs = (first[known], second[known])
        critical = np.quantile(_largest_t(influence, pairs, squares[known], seed), LEVEL, method="higher")
        apart[known] = np.abs(effect[known]) > critical * np.sqrt(squares[known] * n_clusters / (n_clusters - 1))
    better = np.zeros((n_runs, n_runs), bool)
    better[first, second] = apart & (effect > 0)
    better[second, first] = apart & (effect < 0)
    above, below = better.sum(axis=0), better.sum(axis=1)
    return [RankSet(int(1 + above[run]), int(n_runs - below[run])) for run in range(n_runs)]


def _largest_t(
    influence: Influence, pairs: tuple[np.ndarray, np.ndarray], squares: np.ndarray, seed: int
) -> np.ndarray:
    """The size of the largest t of any pair when the clusters' signs are random.

    With signs e, influences u and shares s, the difference is ``d = sum_c e_c u_c`` and its squared error
    ``C / (C - 1) sum_c (e_c u_c - s_c d)^2``.

    Args:
        influence: Influences of the runs.
        pairs: First and second run of each pair, twice ``(n_pairs,)``.
        squares: ``(n_pairs,)``, sum of the squared influences of each pair.
        seed: Of the signs.

    Returns:
        ``(n_replicates,)``; infinite where some pair's error vanishes.
    """
    first, second = pairs
    n_clusters = len(influence.shares)
    signs = 2.0 * np.random.default_rng(seed).integers(2, size=(REPLICATES, n_clusters), dtype=np.int8) - 1
    runs, crossed = signs @ influence.by_cluster, signs @ (influence.by_cluster * influence.shares[:, None])
    difference = runs[:, first] - runs[:, second]
    left = squares - 2 * difference * (crossed[:, first] - crossed[:, second])
    left += difference**2 * (influence.shares**2).sum()
    with np.errstate(divide="ignore"):
        t_squared = difference**2 / np.maximum(left, 0)
    largest: np.ndarray = np.sqrt(t_squared.max(axis=1) * (n_clusters - 1) / n_clusters)
    return largest
