"""Ranking metrics, by hand, by enumeration of every order of ties, and by the official loop where nothing is tied."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise, permutations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from egobench.metrics import ScoredSample
from egobench.metrics.ranking import class_map, options_class_map, single_positive_ap, single_positive_ndcg
from egobench.statistics import chance
from tests.metrics.samples import choice

AP, NDCG = single_positive_ap.value, single_positive_ndcg.value


@pytest.mark.parametrize("rank", range(1, 6))
def test_without_ties_the_values_are_one_over_the_rank_and_its_discount(rank: int) -> None:
    scored = choice([-position for position in range(5)], rank - 1)
    assert AP(scored) == pytest.approx(1 / rank, abs=1e-15)
    assert NDCG(scored) == pytest.approx(1 / math.log2(1 + rank), abs=1e-15)


def test_five_tied_options_give_the_chance_of_the_protocol() -> None:
    scored = choice((0,) * 5, 3)
    assert AP(scored) == pytest.approx(0.456667, abs=5e-7)
    assert NDCG(scored) == pytest.approx(0.589692, abs=5e-7)


def test_a_wrong_choice_leaves_the_target_tied_over_the_ranks_below() -> None:
    """The note's law for one informative pick: mAP = 0.32083 + 0.67917 p and nDCG = 0.48711 + 0.51289 p, at p = 0."""
    scored = choice((0, 1, 0, 0, 0), 3)
    assert AP(scored) == pytest.approx((1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 4, abs=1e-15)
    assert AP(scored) == pytest.approx(0.32083, abs=5e-6)
    assert NDCG(scored) == pytest.approx(0.48711, abs=5e-6)


def test_a_sample_that_was_not_answered_scores_nothing() -> None:
    assert AP(choice(None, 0)) == NDCG(choice(None, 0)) == 0


def charades_ap(ranked: list[bool]) -> float:
    """``Charades_v1_classify.m``: mean over positives of the precision at their rank."""
    hits = [position for position, positive in enumerate(ranked, 1) if positive]
    return fmean(number / position for number, position in enumerate(hits, 1))


def by_enumeration(scores: list[float], truth: list[bool]) -> float:
    """Mean over every order in which tied samples can stand."""
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(scores[one] >= scores[two] for one, two in pairwise(order))
    ]
    return fmean(charades_ap([truth[position] for position in order]) for order in orders)


@settings(deadline=None, max_examples=60)
@given(some.lists(some.tuples(some.sampled_from([-math.inf, 0.0, 0.5, 1.0]), some.booleans()), min_size=1, max_size=7))
def test_ties_count_as_the_mean_over_all_their_orders(rows: list[tuple[float, bool]]) -> None:
    scores, truth = [score for score, _ in rows], [positive for _, positive in rows]
    if not any(truth):
        return
    # A second class that everything belongs to keeps samples without the first from ranking last.
    columns = np.column_stack([scores, np.zeros(len(rows))])
    result = class_map(columns, np.column_stack([truth, np.ones(len(rows), dtype=bool)]))
    assert result.mean == pytest.approx((by_enumeration(scores, truth) + 1) / 2, abs=1e-12)
    assert result.n_classes == 2


def test_without_ties_it_is_what_the_official_loop_gives() -> None:
    rng = np.random.default_rng(3)
    scores, truth = rng.standard_normal((300, 12)), rng.random((300, 12)) < 0.2
    truth[~truth.any(axis=1), 0] = True
    expected = [charades_ap(truth[np.argsort(-scores[:, column]), column].tolist()) for column in range(12)]
    result = class_map(scores, truth)
    assert result.mean == pytest.approx(fmean(expected), abs=1e-12)
    assert result.weighted == pytest.approx(np.average(expected, weights=truth.sum(axis=0)), abs=1e-12)


def test_samples_without_labels_rank_last_and_classes_without_positives_are_left_out() -> None:
    scores = np.array([[0.1, 9, 0.3], [0.9, 8, 0.2], [0.5, 7, 0.1]])
    truth = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0]])
    # Class 0: the sample scored 0.9 has no label, so both positives stand above it. Class 1 has no positive.
    result = class_map(scores, truth)
    assert (result.mean, result.weighted, result.n_classes) == (1.0, 1.0, 2)


def test_samples_without_scores_share_the_last_places_with_those_without_labels() -> None:
    """By hand: rank 1 holds a positive; ranks 2 and 3 hold the other positive and a negative in either order."""
    truth = np.array([[1], [1], [0]])
    result = class_map(np.array([[5.0], [-math.inf], [3.0]]), truth)
    assert result.mean == pytest.approx((1 + (2 / 2 + 2 / 3) / 2) / 2, abs=1e-12)


def test_the_weighted_mean_counts_positives() -> None:
    """By hand: class 0 has AP 1 with one positive, class 1 has (1/2 + 2/3)/2 with two."""
    scores = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    truth = np.array([[1, 0], [0, 1], [0, 1]])
    result = class_map(scores, truth)
    assert result.mean == pytest.approx((1 + 7 / 12) / 2, abs=1e-12)
    assert result.weighted == pytest.approx((1 + 2 * 7 / 12) / 3, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "expected twice"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "no class has a positive"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), "not a number"),
    ],
)
def test_arrays_that_mean_nothing_are_refused(scores: np.ndarray, truth: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_map(scores, truth)


def dense(scored_samples: list[ScoredSample]) -> float:
    """The same through the whole matrix: minus infinity where a class is not among a sample's options."""
    names = sorted({option for one in scored_samples for option in one.sample.options})
    scores = np.full((len(scored_samples), len(names)), -np.inf)
    truth = np.zeros((len(scored_samples), len(names)), dtype=bool)
    for row, one in enumerate(scored_samples):
        assert one.sample.target is not None
        truth[row, names.index(one.sample.options[one.sample.target])] = True
        for option, score in zip(one.sample.options, one.scores or (), strict=False):
            scores[row, names.index(option)] = score
    return class_map(scores, truth).mean


asked = some.permutations("abcdefg").map(lambda letters: "".join(letters[:4]))
answers = some.none() | some.tuples(*[some.sampled_from([0.0, 0.5, 1.0, -math.inf])] * 4)


@given(some.lists(some.builds(choice, answers, some.integers(0, 3), asked), min_size=1, max_size=12))
def test_listed_options_give_what_the_whole_matrix_gives(scored_samples: list[ScoredSample]) -> None:
    assert options_class_map.value(scored_samples) == pytest.approx(dense(scored_samples), abs=1e-12)


@given(
    some.lists(some.builds(choice, answers, some.integers(0, 3), asked), min_size=2, max_size=12),
    some.lists(some.integers(1, 4), min_size=12, max_size=12),
    some.sampled_from([1, 4, 1 << 20]),
)
def test_without_a_group_it_is_the_value_of_what_is_left(
    scored_samples: list[ScoredSample], lengths: list[int], cells: int
) -> None:
    ends = [0, *(end for end in accumulate(lengths) if end < len(scored_samples)), len(scored_samples)]
    sizes = [end - start for start, end in pairwise(ends)]
    if len(sizes) < 2:
        sizes = [1, len(scored_samples) - 1]
        ends = [0, 1, len(scored_samples)]
    left = [options_class_map.value(scored_samples[:start] + scored_samples[end:]) for start, end in pairwise(ends)]
    assert options_class_map.without is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("egobench.metrics.class_wise.CELLS", cells)
        assert options_class_map.without(scored_samples, sizes).tolist() == pytest.approx(left, abs=1e-12)


def test_right_choices_make_it_one_and_no_answers_leave_the_share_of_the_last_places() -> None:
    right = [choice([float(option == "abcd"[number]) for option in "abcd"], number, "abcd") for number in range(4)]
    assert options_class_map.value(right) == 1.0
    silent = [choice(None, number, "abcd") for number in range(4)]
    assert options_class_map.value(silent) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=1e-12)
    assert chance(options_class_map, [one.sample for one in right]) == pytest.approx(25 / 48, abs=1e-12)


def test_the_order_of_the_samples_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    scored_samples = [
        choice(rng.integers(0, 3, 5).tolist(), int(rng.integers(5)), "abcdefghij"[n % 6 :][:5]) for n in range(40)
    ]
    assert options_class_map.value(scored_samples) == options_class_map.value(scored_samples[::-1])
