"""One resampling of videos for several runs: against formulas, by hand, and by what must not change."""

from __future__ import annotations

import numpy as np
import pytest

from egobench.metrics import Metric, ScoredSample, SetMetric
from egobench.metrics.accuracy import accuracy
from egobench.metrics.ranking import options_class_map
from egobench.statistics import estimate
from egobench.statistics.average import average, average_influence
from egobench.statistics.ranks import RankSet, rank_sets
from egobench.statistics.resampling import Column, Influence, column, draw, means
from tests.metrics.samples import choice


def answers(
    right: float, *, seed: int, n: int = 300, videos: int = 60, prefix: str = "v", difficulty: int = 0
) -> list[ScoredSample]:
    """Answers to five-option questions, right with a probability around ``right`` that the video shifts."""
    hard = np.random.default_rng(difficulty).normal(0, 0.15, videos)
    rng = np.random.default_rng(seed)
    scored_samples: list[ScoredSample] = []
    for number in range(n):
        video, target = number % videos, number % 5
        hit = rng.random() < right + hard[video]
        scores = [float(option == (target if hit else (target + 1) % 5)) for option in range(5)]
        scored_samples.append(choice(scores, target, cluster=f"{prefix}{video:03d}", name=f"q{number:04d}"))
    return scored_samples


def test_every_draw_takes_as_many_clusters_as_there_are() -> None:
    drawn = draw(30, 200, np.random.default_rng(0))
    assert drawn.shape == (200, 30)
    assert set(drawn.sum(axis=1).tolist()) == {30}
    # A cluster is left out with probability (29/30)^30 = 0.3617.
    assert (drawn == 0).mean() == pytest.approx(0.3617, abs=0.02)


def test_means_count_a_cluster_as_often_as_it_was_drawn() -> None:
    """By hand: samples 1, 0 | 0 with the clusters drawn 1 and 2 times: (1 + 0 + 0 + 0) / 4; 2 and 0 times: 2 / 4."""
    resampled_means = means(np.array([[1.0], [0.0], [0.0]]), np.array([2, 1]), np.array([[1, 2], [2, 0]]))
    assert resampled_means.tolist() == [[0.25], [0.5]]


@pytest.mark.parametrize("metric", [accuracy, options_class_map], ids=["mean", "set"])
def test_fast_replicates_are_the_metric_of_the_drawn_samples(metric: Metric) -> None:
    """Against taking every drawn cluster's samples, one after another, and computing the metric again."""
    measured = column(metric, [answers(0.6, seed=1, n=40, videos=8), answers(0.3, seed=2, n=40, videos=8)])
    drawn = draw(8, 5, np.random.default_rng(3))
    for row, replicate in zip(drawn, measured.replicates(drawn), strict=True):
        names = [name for name, times in zip(measured.clusters, row, strict=True) for _ in range(times)]
        for run, value in zip(measured.runs, replicate, strict=True):
            picked = [scored for name in names for scored in run if scored.sample.cluster == name]
            assert value == pytest.approx(estimate(metric, picked).value, abs=1e-12)


def test_values_are_the_scores_of_the_runs() -> None:
    runs = [answers(0.6, seed=1), answers(0.3, seed=2)[::-1]]
    for metric in (accuracy, options_class_map):
        measured = column(metric, runs)
        assert measured.values().tolist() == pytest.approx([estimate(metric, run).value for run in runs], abs=1e-15)


def test_a_mean_is_tested_by_the_formula_and_its_replicates_agree() -> None:
    measured = column(accuracy, [answers(0.6, seed=1), answers(0.4, seed=2)])
    resampled = measured.resampled()
    exact, rough = measured.paired(0, 1, resampled), resampled.difference(0, 1)
    assert exact.effect == pytest.approx(rough.effect, abs=1e-15)
    # 1,000 replicates know an error to 2.2 %; a bootstrap of 60 clusters is 0.8 % short.
    assert rough.se == pytest.approx(exact.se, rel=0.08)
    assert exact.discordant is not None


def test_class_wise_map_is_tested_around_the_point_difference() -> None:
    runs = [answers(0.6, seed=1, n=100, videos=25), answers(0.4, seed=2, n=100, videos=25)]
    measured = column(options_class_map, runs)
    test = measured.paired(0, 1, measured.resampled())
    assert test.effect == pytest.approx(options_class_map.value(runs[0]) - options_class_map.value(runs[1]), abs=1e-12)
    assert test.low is not None
    assert test.high is not None
    assert (test.low + test.high) / 2 == pytest.approx(test.effect, abs=1e-12)
    # One label a sample and five options: the scores are 0 or 1, so mAP follows accuracy, and its error is alike.
    assert test.se == pytest.approx(column(accuracy, runs).paired(0, 1, measured.resampled()).se, rel=0.5)


def test_the_seed_alone_decides() -> None:
    measured = column(accuracy, [answers(0.6, seed=1), answers(0.4, seed=2)])
    assert np.array_equal(measured.resampled().replicates, measured.resampled().replicates)
    assert not np.array_equal(measured.resampled().replicates, measured.resampled(seed=1).replicates)


def test_runs_over_different_samples_are_no_column() -> None:
    with pytest.raises(ValueError, match="not about the same samples"):
        column(accuracy, [answers(0.6, seed=1), answers(0.6, seed=1)[1:]])
    with pytest.raises(ValueError, match="no samples"):
        column(accuracy, [[], []])


def test_numbers_over_the_same_videos_move_together() -> None:
    """Two numbers with equal answers over the same videos have the average's error; apart, 1 / sqrt(2) of it."""
    here = answers(0.5, seed=1)
    elsewhere = answers(0.5, seed=1, prefix="w")
    alone = column(accuracy, [here]).resampled().estimate(0)
    shared = average([column(accuracy, [here]), column(accuracy, [here])]).estimate(0)
    apart = average([column(accuracy, [here]), column(accuracy, [elsewhere])]).estimate(0)
    assert alone.se is not None
    assert shared.value == apart.value == pytest.approx(alone.value, abs=1e-15)
    assert shared.se == pytest.approx(alone.se, rel=1e-12)
    assert apart.se == pytest.approx(alone.se / np.sqrt(2), rel=0.08)


def test_an_average_mixes_means_and_class_wise_map() -> None:
    runs = [answers(0.6, seed=1), answers(0.4, seed=2)]
    other = [answers(right, seed=3, n=60, videos=20, prefix="w") for right in (0.5, 0.4)]
    columns = [column(accuracy, runs), column(options_class_map, other)]
    averaged = average(columns)
    expected = [(columns[0].values()[run] + columns[1].values()[run]) / 2 for run in range(2)]
    assert averaged.values.tolist() == pytest.approx(expected, abs=1e-15)
    assert (averaged.n, averaged.clusters) == (360, 20)
    assert averaged.difference(0, 1).effect == pytest.approx(expected[0] - expected[1], abs=1e-15)


def test_every_number_of_an_average_has_samples_in_every_draw() -> None:
    """Two videos among 62 are missed by (60/62)^62 = 13 % of the draws; those are drawn again."""
    few = answers(0.5, seed=1, n=10, videos=2, prefix="w")
    averaged = average([column(accuracy, [answers(0.5, seed=1)]), column(accuracy, [few])])
    assert np.isfinite(averaged.replicates).all()


def test_an_average_with_a_number_over_one_video_has_no_error() -> None:
    single = answers(0.5, seed=1, n=10, videos=1, prefix="w")
    averaged = average([column(accuracy, [answers(0.5, seed=1)] * 2), column(accuracy, [single] * 2)])
    estimated, test = averaged.estimate(0), averaged.difference(0, 1)
    assert (estimated.se, estimated.low, test.se, test.p) == (None, None, None, None)


def test_an_average_needs_the_same_runs_everywhere() -> None:
    run = answers(0.5, seed=1)
    with pytest.raises(ValueError, match="2 numbers with different runs"):
        average([column(accuracy, [run]), column(accuracy, [run, run])])
    with pytest.raises(ValueError, match="0 numbers"):
        average([])


def test_runs_far_apart_have_one_rank_each_and_near_ones_share() -> None:
    runs = [answers(0.9, seed=1), answers(0.5, seed=2), answers(0.5, seed=3), answers(0.1, seed=4)]
    rank_sets_of_runs = rank_sets(column(accuracy, runs).influence())
    assert rank_sets_of_runs == [RankSet(1, 1), RankSet(2, 3), RankSet(2, 3), RankSet(4, 4)]
    assert [str(rank_set) for rank_set in rank_sets_of_runs] == ["1", "2-3", "2-3", "4"]


def test_equal_runs_share_all_ranks_and_one_run_is_first() -> None:
    run = answers(0.5, seed=1)
    assert rank_sets(column(accuracy, [run] * 3).influence()) == [RankSet(1, 3)] * 3
    assert rank_sets(column(accuracy, [run]).influence()) == [RankSet(1, 1)]


@pytest.mark.parametrize(("videos", "expected"), [(5, [RankSet(1, 2)] * 2), (6, [RankSet(1, 1), RankSet(2, 2)])])
def test_without_any_error_the_sign_test_of_the_videos_decides(videos: int, expected: list[RankSet]) -> None:
    """Always right against always wrong: 2 / 2^5 = 0.0625, 2 / 2^6 = 0.031."""
    runs = [answers(right, seed=1, n=60, videos=videos) for right in (2.0, -1.0)]
    assert rank_sets(column(accuracy, runs).influence()) == expected


def test_two_runs_are_apart_when_the_paired_test_says_so() -> None:
    """With one pair the quantile is that of |t| itself, 1.97; checked on effects on both sides of it."""
    rng = np.random.default_rng(8)
    by_video = rng.normal(0, 1, (200, 1))
    by_video -= by_video.mean()
    for t, expected in ((1.7, RankSet(1, 2)), (2.3, RankSet(1, 1))):
        shift = t * by_video.std(ddof=1) / np.sqrt(200)
        influence = Influence(np.array([shift, 0.0]), np.hstack([by_video, 0 * by_video]) / 200, np.full(200, 1 / 200))
        assert rank_sets(influence)[0] == expected


def test_the_influence_of_videos_has_the_error_of_the_formula() -> None:
    measured = column(accuracy, [answers(0.6, seed=1), answers(0.4, seed=2)])
    influence = measured.influence()
    estimated = estimate(accuracy, measured.runs[0])
    assert estimated.se is not None
    assert (60 / 59 * (influence.by_cluster[:, 0] ** 2).sum()) ** 0.5 == pytest.approx(estimated.se, abs=1e-12)
    assert influence.by_cluster.sum(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert influence.shares.sum() == pytest.approx(1, abs=1e-12)


def test_leaving_videos_out_gives_the_influence_that_a_mean_has_by_its_formula() -> None:
    """Accuracy as a metric of all samples at once, with videos of different sizes."""
    run = answers(0.6, seed=1, n=70, videos=12)
    at_once = SetMetric("mcq", lambda scored_samples: estimate(accuracy, scored_samples).value)
    left_out, formula = column(at_once, [run]).influence(), column(accuracy, [run]).influence()
    assert left_out.by_cluster == pytest.approx(formula.by_cluster, abs=1e-12)


def test_class_wise_map_without_videos_is_that_of_the_videos_left() -> None:
    """The closed form against computing the metric again without each video."""
    runs = [answers(0.6, seed=1, n=70, videos=12), answers(0.4, seed=2, n=70, videos=12)]
    again = SetMetric("mcq", options_class_map.value)
    closed, naive = column(options_class_map, runs).influence(), column(again, runs).influence()
    assert closed.by_cluster == pytest.approx(naive.by_cluster, abs=1e-12)
    assert closed.values.tolist() == naive.values.tolist()


def test_videos_that_two_numbers_share_add_to_both() -> None:
    """The error of an average from influences and from draws: 1,000 replicates know it to 2.2 %."""
    first, second = answers(0.6, seed=1), answers(0.4, seed=2, n=50, videos=30)
    columns = [column(accuracy, [first]), column(accuracy, [second])]
    influence = average_influence([number.influence() for number in columns])
    assert influence.by_cluster.shape == (60, 1)
    assert influence.shares.sum() == pytest.approx(1, abs=1e-12)
    se = average(columns).estimate(0).se
    assert (influence.by_cluster**2).sum() ** 0.5 == pytest.approx(se, rel=0.08)


def test_a_column_knows_its_videos() -> None:
    measured = column(accuracy, [answers(0.5, seed=1, n=10, videos=3)])
    assert isinstance(measured, Column)
    assert (measured.clusters, measured.sizes.tolist()) == (("v000", "v001", "v002"), [4, 3, 3])
