"""From scored samples to a number with an interval."""

from __future__ import annotations

import subprocess
import sys

import pytest

from egobench.metrics.accuracy import accuracy
from egobench.metrics.ranking import options_class_map, single_positive_ap
from egobench.metrics.words import exact_match
from egobench.statistics import Estimate, chance, estimate
from tests.metrics.samples import choice, open_answer


def test_a_mean_metric_counts_every_sample_and_clusters_by_video() -> None:
    """By hand: two videos of two samples, (1, 0) and (0, 0): mean 1/4, SE^2 = 2 (0.5^2 + 0.5^2) / 16 = 1/16."""
    scored_samples = [
        choice((1, 0), 0, "ab", cluster="v1"),
        choice((1, 0), 1, "ab", cluster="v1"),
        choice(None, 0, "ab", cluster="v2"),
        choice((0, 1), 0, "ab", cluster="v2", outcome="media_error"),
    ]
    result = estimate(accuracy, scored_samples)
    assert (result.value, result.n, result.clusters) == (0.25, 4, 2)
    assert result.se == pytest.approx(0.25, abs=1e-15)
    # 0.25 +- 12.7 * 0.25: with two clusters the interval is honest about knowing nothing.
    assert (result.low, result.high) == (0, 1)


def test_a_set_metric_keeps_its_value_and_gets_an_error_from_resampled_videos() -> None:
    scored_samples = [
        choice([float(n * n % 7 == k) for k in range(5)], n % 5, cluster=f"v{n % 9}", name=f"q{n}") for n in range(45)
    ]
    result = estimate(options_class_map, scored_samples)
    assert result.value == pytest.approx(options_class_map.value(scored_samples), abs=1e-12)
    assert result == estimate(options_class_map, scored_samples[::-1])
    assert result.se is not None
    assert 0 < result.se < 0.5
    assert result.se != estimate(options_class_map, scored_samples, seed=1).se


def test_samples_in_any_order_give_the_same_bytes() -> None:
    scored_samples = [
        choice([n % 3, 0.1 * n % 1, 0.5], n % 3, "abc", cluster=f"v{n % 4}", name=f"q{n}") for n in range(60)
    ]
    assert repr(estimate(single_positive_ap, scored_samples)) == repr(
        estimate(single_positive_ap, scored_samples[::-1])
    )


def test_nothing_and_private_answers_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no samples"):
        estimate(accuracy, [])
    with pytest.raises(ValueError, match="sample 'q' has no public answer"):
        estimate(accuracy, [choice((1, 0), None, "ab")])


def test_open_answers_need_no_target() -> None:
    scored_samples = [open_answer("cup", "cup", cluster="a"), open_answer("pan", "cup", cluster="b")]
    assert isinstance(estimate(exact_match, scored_samples), Estimate)
    assert estimate(exact_match, scored_samples).value == 0.5


def test_chance_is_the_metric_of_scores_that_are_all_equal() -> None:
    samples = [choice(None, 1, options).sample for options in ("ab", "abcd")]
    assert chance(accuracy, samples) == pytest.approx((1 / 2 + 1 / 4) / 2, abs=1e-15)
    assert chance(single_positive_ap, [choice(None, 1).sample]) == pytest.approx(0.456667, abs=5e-7)
    # Class a: rank 1 of the only sample that shows it.
    assert chance(options_class_map, [choice(None, 0, "ab").sample]) == 1.0


def test_open_questions_and_private_answers_have_no_chance() -> None:
    assert chance(exact_match, [open_answer("", "cup").sample]) is None
    assert chance(accuracy, [choice(None, None).sample]) is None


def test_statistics_and_metrics_are_named_without_numpy() -> None:
    code = (
        "import sys, egobench.statistics, egobench.metrics.accuracy, egobench.metrics.ranking, egobench.metrics.words;"
        "print([name for name in ('numpy', 'scipy', 'nltk', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
