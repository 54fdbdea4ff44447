"""Rank sets: the ranks that a run can have, given that differences are known with an error (PROTOCOL section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from egobench.statistics.clustered import EXACT, LEVEL
from egobench.statistics.resampling import Resampled


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


def rank_sets(found: Resampled) -> list[RankSet]:
    """Rank sets that are right together in 95 % of all cases.

    All pairs of runs are compared at once: a pair is apart if its difference is more standard errors away from 0 than
    the 95 % quantile, over the replicates, of the largest deviation that any pair has from its own difference
    (max-T; Mogstad, Romano, Shaikh and Wilhelm 2024, one step). The quantile is widened by t(C - 1) over normal, so
    that few clusters count as few. Pairs without an error are apart if the sign test of the clusters says so after
    division by the number of pairs.

    Args:
        found: A number of at least one run, higher is better.

    Returns:
        One a run.
    """
    n_runs = len(found.values)
    first, second = np.triu_indices(n_runs, 1)
    better = np.zeros((n_runs, n_runs), bool)
    if len(first) and found.clusters > 1:
        effect = found.values[first] - found.values[second]
        deviations = found.replicates[:, first] - found.replicates[:, second] - effect
        se = deviations.std(axis=0, ddof=1)
        known = se > EXACT
        apart = ~known & (np.abs(effect) > EXACT) & (2 * 0.5**found.clusters <= (1 - LEVEL) / len(first))
        if known.any():
            largest = np.abs(deviations[:, known] / se[known]).max(axis=1)
            tail = (1 + LEVEL) / 2
            widened = float(stdtrit(found.clusters - 1, tail) / ndtri(tail))
            critical = float(np.quantile(largest, LEVEL, method="higher")) * widened
            apart[known] = np.abs(effect[known]) > critical * se[known]
        better[first, second] = apart & (effect > 0)
        better[second, first] = apart & (effect < 0)
    above, below = better.sum(axis=0), better.sum(axis=1)
    return [RankSet(int(1 + above[run]), int(n_runs - below[run])) for run in range(n_runs)]
