"""Clustered errors against statsmodels, Wilson's interval against scipy, the bootstrap against the formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import binomtest

from egobench.statistics.clustered import bootstrapped, mean, n_replicates, wilson


def ols(values: Sequence[float], clusters: Sequence[int]) -> tuple[float, float, float, float]:
    """Regression on a constant. statsmodels scales by C/(C-1) (n-1)/(n-k), which is C/(C-1) for one constant."""
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    low, high = fit.conf_int()[0]
    return float(fit.params[0]), float(fit.bse[0]), float(low), float(high)


@settings(deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 64).map(lambda n: n / 64), some.integers(0, 8)), min_size=3, max_size=80)
)
def test_error_and_interval_are_those_of_statsmodels(rows: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
    if len(set(clusters)) < 2 or set(values) <= {0.0, 1.0}:
        return
    result = mean(values, clusters)
    value, se, low, high = ols(values, clusters)
    if se < 1e-12:  # All clusters score the same: see below.
        return
    expected = (value, se, max(low, 0.0), min(high, 1.0))
    assert (result.value, result.se, result.low, result.high) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert (result.n, result.clusters) == (len(rows), len(set(clusters)))


def test_equal_samples_of_a_cluster_count_once() -> None:
    """By hand: two clusters of 3 with means 1 and 0, so SE^2 = 2/1 (1.5^2 + 1.5^2) / 36 = 1/4, t(1) = 12.7062."""
    result = mean([1, 1, 1, 0, 0, 0], "aaabbb")
    assert result.se == pytest.approx(0.5, abs=1e-15)
    # 0.5 +- 12.7062 * 0.5 is cut off where no share lies.
    assert (result.low, result.high) == (0.0, 1.0)


def test_an_interval_ends_where_the_range_of_the_metric_ends() -> None:
    """By hand: (0.1, 0.1, 0.9, 0.9) in two clusters, mean 0.5, SE^2 = 2 (0.8^2 + 0.8^2) / 16 = 0.16, t(1) = 12.7062."""
    values, clusters = [0.1, 0.1, 0.9, 0.9], "aabb"
    cosine = mean(values, clusters, least=-1.0)
    assert (cosine.low, cosine.high) == (-1.0, 1.0)
    assert cosine.se == pytest.approx(0.4)

    spread = mean([-0.1, 0.3, -0.1, 0.2, 0.1, 0.2], "abcdef", least=-1.0)
    assert spread.low is not None
    assert -1 < spread.low < 0


def test_one_cluster_has_no_error() -> None:
    result = mean([1, 0, 1], "aaa")
    assert (result.se, result.low, result.high) == (None, None, None)


def test_the_order_of_the_samples_does_not_matter_to_the_last_bit() -> None:
    rng = np.random.default_rng(1)
    values, clusters = rng.random(200).tolist(), rng.integers(0, 20, 200).tolist()
    order = rng.permutation(200)
    assert mean(values, clusters) == mean([values[i] for i in order], [clusters[i] for i in order])


def test_few_independent_shares_get_wilsons_interval() -> None:
    """VLN-QA: 200 samples of their own, 44.5 % right; the 6.9 points of the protocol are those of a half."""
    result = mean([1] * 89 + [0] * 111, range(200))
    expected = binomtest(89, 200).proportion_ci(method="wilson")
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    low, high = wilson(0.5, 200)
    assert high - low == pytest.approx(2 * 0.069, abs=2e-3)


@pytest.mark.parametrize("n", [300, 1000])
def test_many_samples_get_the_t_interval(n: int) -> None:
    values = [number % 2 for number in range(n)]
    result = mean(values, range(n))
    assert (result.value, result.se, result.low, result.high) == pytest.approx(ols(values, list(range(n))), abs=1e-12)


@pytest.mark.parametrize("right", [0, 1])
def test_all_right_or_all_wrong_is_never_plus_minus_nothing(right: int) -> None:
    """50 clusters of 20: what is independent are the clusters, so Wilson of 50 trials."""
    result = mean([right] * 1000, [number % 50 for number in range(1000)])
    expected = binomtest(50 * right, 50).proportion_ci(method="wilson")
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_clusters_that_score_the_same_are_never_plus_minus_nothing() -> None:
    """50 clusters of 20, half of each right: Wilson of 25 in 50 trials."""
    result = mean([number // 50 % 2 for number in range(1000)], [number % 50 for number in range(1000)])
    expected = binomtest(25, 50).proportion_ci(method="wilson")
    assert (result.value, result.se) == (0.5, 0)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(some.integers(0, 50), some.integers(1, 50))
def test_wilson_is_scipys(right: int, n: int) -> None:
    right = min(right, n)
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_bootstrap_of_a_mean_agrees_with_the_formula() -> None:
    """Within 12 %: 1,000 replicates know a standard error to 2.2 %, and replicates divide by their own sizes."""
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(60), 10)
    values = rng.random(600) + rng.random(60)[clusters]
    formula = mean(values.tolist(), clusters.tolist())
    result = bootstrapped(lambda picked: float(values[list(picked)].mean()), clusters.tolist())
    assert result.value == pytest.approx(formula.value, abs=1e-12)
    assert formula.se is not None
    assert result.se == pytest.approx(formula.se, rel=0.12)
    assert (result.low, result.high) == pytest.approx((formula.low, formula.high), rel=0.02)


def test_whole_clusters_are_drawn_and_the_seed_decides_which() -> None:
    drawn: list[list[int]] = []

    def compute(picked: object) -> float:
        assert isinstance(picked, list | range)
        drawn.append(list(picked))
        return float(sum(picked))

    clusters = "aabbcc"
    first = bootstrapped(compute, clusters)
    for picked in drawn[1:]:
        assert all(picked.count(2 * number) == picked.count(2 * number + 1) for number in range(3))
    assert drawn[0] == list(range(6))
    assert first == bootstrapped(compute, clusters) != bootstrapped(compute, clusters, seed=1)


def test_a_perfect_statistic_gets_the_interval_of_its_clusters() -> None:
    result = bootstrapped(lambda picked: 1 - 1e-16 * len(picked), [number % 20 for number in range(60)])
    expected = binomtest(20, 20).proportion_ci(method="wilson")
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_cluster_cannot_be_resampled() -> None:
    result = bootstrapped(len, "aaaa")
    assert (result.value, result.se, result.low, result.n, result.clusters) == (4, None, None, 4, 1)


def test_large_sets_get_fewer_replicates() -> None:
    assert [n_replicates(n) for n in (10, 1000, 2500, 9668)] == [1000, 1000, 400, 200]
