"""How often the tests find a difference that is not there, by simulation on the structure of real data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from egobench.statistics import paired
from egobench.statistics.ranks import rank_sets
from egobench.statistics.resampling import Influence

EPIC_SIZES = (
    *(3, 3, 3, 4, 5, 6, 7, 9, 10, 10, 11, 11, 12, 12, 12, 13, 13, 13, 14, 14, 14, 14, 14, 15, 15, 15, 16, 16, 16, 16),
    *(17, 17, 18, 18, 19, 20, 21, 21, 22, 22, 23, 24, 24, 25, 25, 26, 26, 26, 26, 26, 26, 27, 27, 27, 27, 27, 29, 29),
    *(30, 30, 30, 31, 32, 32, 33, 34, 34, 34, 34, 37, 37, 38, 39, 39, 40, 41, 42, 43, 43, 43, 43, 44, 45, 46, 46, 48),
    *(48, 49, 50, 50, 53, 57, 57, 60, 60, 60, 61, 62, 63, 63, 64, 64, 64, 66, 70, 73, 91, 98, 104, 106, 111, 111, 113),
    *(113, 120, 120, 125, 126, 133, 133, 135, 136, 147, 147, 148, 170, 179, 195, 217, 235, 291, 331, 347, 350, 354),
    *(371, 484, 564),
)
"""Samples of each of the 138 videos in ``EPIC_100_retrieval_test.csv``."""

REPLICATES = 2000
DISAGREEMENT = 0.25
"""Share of samples that exactly one of two equally good runs gets right."""


def test_the_sizes_are_those_of_the_protocol() -> None:
    assert (len(EPIC_SIZES), sum(EPIC_SIZES), max(EPIC_SIZES)) == (138, 9668, 564)


def wins(sizes: np.ndarray, correlation: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Samples of each cluster that only the one or only the other of two equally good runs gets right.

    A sample is discordant with probability 1/4, and then the one run's with a probability that is the cluster's own,
    from Beta(s, s) of variance 1 / (4 (2 s + 1)). Differences within a cluster then correlate by
    4 Var DISAGREEMENT^2 / DISAGREEMENT = DISAGREEMENT / (2 s + 1).
    """
    shape = (DISAGREEMENT / correlation - 1) / 2
    discordant = rng.binomial(sizes, DISAGREEMENT)
    one = rng.binomial(discordant, rng.beta(shape, shape, len(sizes)))
    return one, discordant - one


@pytest.mark.slow
def test_the_clustered_paired_test_holds_its_level_on_epic_kitchens_where_mcnemar_does_not() -> None:
    """Nominal 5 %, intra-cluster correlation of the differences 0.05; Monte Carlo error 0.5 points."""
    rng = np.random.default_rng(2026)
    sizes = np.array(EPIC_SIZES)
    clusters = np.repeat(np.arange(len(sizes)), sizes).tolist()
    clustered = mcnemar = 0
    for _ in range(REPLICATES):
        one, other = wins(sizes, 0.05, rng)
        a, b = (np.concatenate([np.repeat((1.0, 0.0), (k, n - k)) for k, n in zip(won, sizes, strict=True)])
                for won in (one, other))  # fmt: skip
        # Within a cluster only the sum of the differences enters, so which sample is whose does not matter.
        p = paired(a.tolist(), b.tolist(), clusters).p
        assert p is not None
        clustered += p < 0.05
        n_one, n_other = int(one.sum()), int(other.sum())
        mcnemar += min(1.0, 2 * float(binom.cdf(min(n_one, n_other), n_one + n_other, 0.5))) < 0.05
    assert 0.03 <= clustered / REPLICATES <= 0.07, clustered / REPLICATES
    assert mcnemar / REPLICATES > 0.30, mcnemar / REPLICATES


@pytest.mark.slow
@pytest.mark.parametrize("tied", [4, 10], ids=["some runs tied", "all runs tied"])
def test_rank_sets_are_all_right_in_at_least_95_percent_of_all_cases(tied: int) -> None:
    """Ten runs on 166 videos of 11 samples (QAEgo4D); runs differ in what they find hard, video by video.

    A rank set is wrong that leaves out a rank which the true levels allow; one such run makes the family wrong.
    """
    rng = np.random.default_rng(7)
    levels = np.array([0.5] * tied + [0.28 + 0.06 * number for number in range(10 - tied)])
    best = 1 + (levels[:, None] < levels).sum(axis=1)
    worst = len(levels) - (levels[:, None] > levels).sum(axis=1)
    wrong = 0
    for seed in range(REPLICATES):
        chances = levels + rng.uniform(-0.17, 0.17, (166, 1)) + rng.uniform(-0.17, 0.17, (166, 10))
        share = rng.binomial(11, np.clip(chances, 0, 1)) / 11
        values = share.mean(axis=0)
        found = rank_sets(Influence(values, (share - values) / 166, np.full(166, 1 / 166)), seed=seed)
        wrong += any(one.best > best[run] or one.worst < worst[run] for run, one in enumerate(found))
    assert wrong / REPLICATES <= 0.05, wrong / REPLICATES
