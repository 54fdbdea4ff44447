"""The official retrieval metrics of EPIC-KITCHENS-100 against their published definitions."""

from __future__ import annotations

import csv
from ast import literal_eval
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from egobench.metrics.graded import graded_aps, graded_ndcgs, relevancy

EPIC = Path(__file__).parents[3] / "shared" / "data" / "epic_kitchens_mir"


def published_ap(scores: np.ndarray, relevance: np.ndarray) -> float:
    """One query, straight from the definition (PROTOCOL 2.5)."""
    ranked = relevance[np.argsort(-scores, kind="stable")]
    total = 0.0
    for k, r in enumerate(ranked, 1):
        if r == 1:
            total += sum(ranked[:k]) / k
    return float(total / sum(ranked == 1))


def published_ndcg(scores: np.ndarray, relevance: np.ndarray) -> float:
    """One query, straight from the definition (PROTOCOL 2.5)."""
    cut = int(sum(relevance > 0))

    def dcg(ranked: np.ndarray) -> float:
        return float(sum(r / np.log2(k + 1) for k, r in enumerate(ranked[:cut], 1)))

    return dcg(relevance[np.argsort(-scores, kind="stable")]) / dcg(np.sort(relevance)[::-1])


def graded(rng: np.random.Generator, queries: int, gallery: int) -> np.ndarray:
    relevance = rng.choice([0, 0, 0, 0.25, 0.5, 0.75, 1.0], size=(queries, gallery))
    relevance[:, 0] = 1.0
    return relevance


def test_scores_without_ties_give_the_published_definitions() -> None:
    rng = np.random.default_rng(0)
    relevance, scores = graded(rng, 300, 40), rng.normal(size=(300, 40))
    expected = [published_ap(*pair) for pair in zip(scores, relevance, strict=True)]
    assert graded_aps(scores, relevance) == pytest.approx(expected, abs=1e-12)
    expected = [published_ndcg(*pair) for pair in zip(scores, relevance, strict=True)]
    assert graded_ndcgs(scores, relevance) == pytest.approx(expected, abs=1e-12)


def test_ties_count_as_the_mean_over_all_orders() -> None:
    rng = np.random.default_rng(1)
    for scores in ([0, 0, 0, 0, 0], [2, 1, 1, 1, 0], [1, 1, 0, 0, 0], [3, 3, 2, 1, 1]):
        relevance = graded(rng, 1, 5)
        tied = np.array(scores, np.float64)
        orders = [np.array(order) for order in permutations(range(5))]
        # Adding a tiny permutation breaks the ties in every possible way, each equally often.
        broken = [tied + 1e-6 * order for order in orders]
        expected_value = np.mean([published_ap(each, relevance[0]) for each in broken])
        assert graded_aps(tied[None], relevance).mean() == pytest.approx(expected_value, abs=1e-12)
        expected_value = np.mean([published_ndcg(each, relevance[0]) for each in broken])
        assert graded_ndcgs(tied[None], relevance).mean() == pytest.approx(expected_value, abs=1e-12)


def test_a_ranking_of_three_scores_what_arithmetic_says() -> None:
    # Ranked relevance 1, .5, 1; ideal 1, 1, .5. AP = ((1 / 1) + (1 + .5 + 1) / 3) / 2.
    scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[1.0, 0.5, 1.0]])
    assert graded_aps(scores, relevance).mean() == pytest.approx((1 + 2.5 / 3) / 2, abs=1e-12)
    by_hand = (1 + 0.5 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3) + 0.5 / 2)
    assert graded_ndcgs(scores, relevance).mean() == pytest.approx(by_hand, abs=1e-12)


def test_values_lie_between_zero_and_one_and_a_perfect_ranking_is_one() -> None:
    rng = np.random.default_rng(2)
    relevance = graded(rng, 400, 37)
    for scores in (relevance, -relevance, rng.normal(size=relevance.shape), np.zeros(relevance.shape)):
        for values in (graded_aps(scores, relevance), graded_ndcgs(scores, relevance)):
            assert values.min() >= 0
            assert values.max() <= 1
    assert graded_aps(relevance, relevance).mean() == graded_ndcgs(relevance, relevance).mean() == 1


@pytest.mark.parametrize(
    ("scores", "relevance", "message"),
    [
        (np.zeros((2, 3)), np.ones((3, 2)), "expected twice"),
        (np.array([[0.0, np.nan]]), np.ones((1, 2)), r"scores\[0, 1\] is not a finite number"),
        (np.zeros((1, 2)), np.array([[1.0, 2.0]]), r"expected \[0, 1\]"),
        (np.zeros((2, 2)), np.array([[1.0, 0.0], [0.5, 0.5]]), "query 1 has no item of relevance 1"),
    ],
)
def test_what_cannot_be_scored_is_named(scores: np.ndarray, relevance: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graded_aps(scores, relevance)


@pytest.mark.slow
@pytest.mark.skipif(not EPIC.is_dir(), reason="needs the EPIC-KITCHENS-100 annotations beside the checkout")
def test_the_real_gallery_has_the_official_chance_and_a_perfect_ranking_scores_one() -> None:
    with (EPIC / "EPIC_100_retrieval_test.csv").open(newline="") as file:
        rows = {row["narration_id"]: row for row in csv.DictReader(file)}
    with (EPIC / "EPIC_100_retrieval_test_sentence.csv").open(newline="") as file:
        captions = [rows[row["narration_id"]] for row in csv.DictReader(file)]

    def classes(held: list[dict[str, str]]) -> tuple[list[int], list[frozenset[int]]]:
        nouns = [frozenset(literal_eval(row["all_noun_classes"])) for row in held]
        return [int(row["verb_class"]) for row in held], nouns

    relevance = relevancy(*classes(list(rows.values())), *classes(captions))
    assert relevance.shape == (9668, 3842)
    assert len(np.unique(relevance.round(9))) == 18
    assert (relevance == 1).sum(axis=1).mean() == pytest.approx(6.4682, abs=1e-4)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=relevance.shape).astype(np.float32)
    assert graded_aps(scores, relevance).mean() == pytest.approx(0.0569, abs=1e-3)
    assert graded_ndcgs(scores, relevance).mean() == pytest.approx(0.1080, abs=1e-3)
    assert graded_aps(relevance, relevance).mean() == pytest.approx(1.0, abs=1e-12)
    assert graded_ndcgs(relevance, relevance).mean() == pytest.approx(1.0, abs=1e-12)
    noisy = relevance + rng.normal(scale=0.3, size=relevance.shape)
    few = rng.choice(len(relevance), 20, replace=False)
    expected = [published_ap(*pair) for pair in zip(noisy[few], relevance[few], strict=True)]
    assert graded_aps(noisy, relevance)[few] == pytest.approx(expected, abs=1e-12)
    expected = [published_ndcg(*pair) for pair in zip(noisy[few], relevance[few], strict=True)]
    assert graded_ndcgs(noisy, relevance)[few] == pytest.approx(expected, abs=1e-12)
    tied = np.round(noisy * 4)
    assert 0.5 < graded_aps(tied, relevance).mean() < 0.6
    assert 0.5 < graded_ndcgs(tied, relevance).mean() < 0.6
