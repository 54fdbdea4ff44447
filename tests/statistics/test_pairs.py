"""Paired tests against statsmodels and scipy, and by hand where errors vanish."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import nct, ttest_rel
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from egobench.statistics import holm, paired


@pytest.mark.parametrize("seed", range(5))
def test_error_interval_and_p_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 30, 400)
    a, b = rng.random(400), rng.random(400) + 0.1 * rng.random(30)[clusters]
    fit = sm.OLS(a - b, np.ones(400)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    test = paired(a.tolist(), b.tolist(), clusters.tolist())
    expected = (float(fit.params[0]), float(fit.bse[0]), *map(float, fit.conf_int()[0]), float(fit.pvalues[0]))
    assert (test.effect, test.se, test.low, test.high, test.p) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert (test.n, test.clusters, test.discordant) == (400, 30, 400)


def test_with_clusters_of_one_it_is_the_paired_t_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(50), rng.random(50)
    expected = ttest_rel(a, b)
    assert paired(a.tolist(), b.tolist(), range(50)).p == pytest.approx(float(expected.pvalue), abs=1e-12)


def test_two_videos_by_hand() -> None:
    """Differences 1, 0 | 0, 0: mean 1/4, SE^2 = 2 (0.5^2 + 0.5^2) / 16 = 1/16; t = 1 on one degree has p = 1/2."""
    test = paired([1, 1, 0, 1], [0, 1, 0, 1], "aabb")
    assert (test.effect, test.discordant) == (0.25, 1)
    assert (test.se, test.p) == pytest.approx((0.25, 0.5), abs=1e-12)
    # t(1) at 0.975 is 12.7062, at 0.8 it is tan(0.3 pi) = 1.3764.
    assert test.detectable == pytest.approx(0.25 * (12.7062 + 1.3764), abs=1e-4)


@pytest.mark.parametrize("clusters", [20, 138, 200])
def test_the_detectable_effect_is_found_in_four_of_five_repetitions(clusters: int) -> None:
    """Power of the two-sided t-test at that effect, by scipy's noncentral t: within 1 point of 80 %."""
    values = [float(number % 2) for number in range(clusters)]
    test = paired(values, [0.5] * clusters, range(clusters))
    assert test.se is not None
    assert test.detectable is not None
    critical, shift = student.ppf(0.975, clusters - 1), test.detectable / test.se
    power = nct.sf(critical, clusters - 1, shift) + nct.cdf(-critical, clusters - 1, shift)
    assert power == pytest.approx(0.8, abs=0.01)


def test_runs_that_never_differ_are_not_proved_equal() -> None:
    """The sign test's bound: at 10 videos, w = 0.025^(1/10) = 0.6915 of all videos are like these."""
    test = paired([1, 0] * 10, [1, 0] * 10, [number // 2 for number in range(20)])
    assert (test.effect, test.se, test.p, test.discordant, test.detectable) == (0, 0, 1, 0, None)
    assert (test.low, test.high) == pytest.approx((-0.3085, 0.3085), abs=1e-4)


@pytest.mark.parametrize(("clusters", "p"), [(5, 0.0625), (6, 0.03125)])
def test_a_difference_without_error_is_as_sure_as_the_sign_test_of_the_videos(clusters: int, p: float) -> None:
    """Always right against always wrong: p = 2 / 2^C, and the interval leaves 0 out exactly when p < 0.05."""
    test = paired([1] * clusters, [0] * clusters, range(clusters))
    assert (test.effect, test.se, test.p, test.high) == (1, 0, p, 1)
    assert test.low is not None
    assert (test.low > 0) == (p < 0.05)


def test_one_video_is_no_test() -> None:
    test = paired([1, 1, 0], [0, 1, 1], "aaa")
    assert (test.effect, test.se, test.low, test.high, test.p, test.detectable) == (0, None, None, None, None, None)


def test_exchanged_runs_exchange_the_sign() -> None:
    rng = np.random.default_rng(2)
    a, b, clusters = rng.random(60).tolist(), rng.random(60).tolist(), rng.integers(0, 9, 60).tolist()
    one, other = paired(a, b, clusters), paired(b, a, clusters)
    assert (one.effect, one.low, one.high, one.p) == (-other.effect, -other.high, -other.low, other.p)  # type: ignore[operator]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="2 and 3 values and 2 clusters"):
        paired([1, 0], [1, 0, 1], "ab")
    with pytest.raises(ValueError, match="0 and 0 values"):
        paired([], [], [])
    with pytest.raises(ValueError, match="values nan and 0 of sample 1"):
        paired([1, float("nan")], [1, 0], "ab")


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_adjusted_p_values_are_those_of_statsmodels(n: int) -> None:
    p_values = np.random.default_rng(n).random(n) ** 3
    expected = np.asarray(multipletests(p_values, method="holm")[1])
    assert holm(p_values.tolist()) == pytest.approx(expected.tolist(), abs=1e-12)


def test_a_test_that_could_not_be_made_does_not_widen_the_family() -> None:
    """By hand: two tests, so 2 x 0.02 and then 1 x 0.03, which must not be less."""
    assert holm([0.03, None, 0.02]) == [0.04, None, 0.04]
    assert holm([None]) == [None]
