"""Rows of one kind have one value: against the value of every row by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from egobench.errors import StoreError
from egobench.metrics import Outcome
from egobench.metrics.accuracy import accuracy
from egobench.metrics.ranking import single_positive_ap
from egobench.scoring.row_kinds import ScoredRows, row_kinds
from tests.metrics.samples import choice

NUMBERS = some.sampled_from([-math.inf, -1.5, 0.0, 0.25, 1.0, 7.0])
ROWS = some.one_of(
    some.tuples(some.just("answered"), some.lists(NUMBERS, min_size=2, max_size=5).map(tuple)),
    some.tuples(some.sampled_from(["unparsed", "refused"]), some.just(None)),
)


def rows_of(rows: Sequence[tuple[Outcome, tuple[float, ...] | None]]) -> ScoredRows:
    return ScoredRows([(outcome, None, scores) for outcome, scores in rows], np.arange(len(rows)))


@given(some.lists(some.tuples(ROWS, some.integers(0, 1)), min_size=1, max_size=20))
def test_rows_of_one_kind_have_one_value(drawn: list[tuple[tuple[Outcome, tuple[float, ...] | None], int]]) -> None:
    kinds = row_kinds(rows_of([row for row, _ in drawn]), np.array([target for _, target in drawn]))
    values: dict[int, set[tuple[float, float]]] = {}
    for kind, ((outcome, scores), target) in zip(kinds.tolist(), drawn, strict=True):
        scored = choice(scores, target, "abcde"[: len(scores or "ab")], outcome=outcome)
        values.setdefault(kind, set()).add((accuracy.value(scored), single_positive_ap.value(scored)))
    assert all(len(of_kind) == 1 for of_kind in values.values())


def test_scores_in_one_order_are_one_kind_and_others_are_not() -> None:
    rows: list[tuple[Outcome, tuple[float, ...] | None]] = [
        ("answered", (3.0, 1.0, 1.0)), ("answered", (0.9, -2.0, -2.0)), ("answered", (3.0, 1.0, 0.0)),
        ("answered", (3.0, 1.0)), ("unparsed", None), ("refused", None),
    ]  # fmt: skip
    kinds = row_kinds(rows_of(rows), np.zeros(6, np.int64)).tolist()
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 5


def test_more_options_than_a_number_can_hold_are_told_apart() -> None:
    """Forty options have 40^40 orders, more than 64 bits can number."""
    rng = np.random.default_rng(0)
    orders = [tuple(map(float, rng.permutation(40))) for _ in range(20)]
    rows: list[tuple[Outcome, tuple[float, ...] | None]] = [("answered", scores) for scores in orders + orders]
    kinds = row_kinds(rows_of(rows), np.zeros(40, np.int64)).tolist()
    assert kinds[:20] == kinds[20:]
    assert len(set(kinds)) == 20


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(StoreError, match="not a number"):
        row_kinds(rows_of([("answered", (math.nan, 1.0))]), np.zeros(1, np.int64))


@pytest.mark.parametrize("beyond", [-1, 5, 10**30])
def test_a_choice_that_no_row_can_have_is_neither_none_nor_an_option(beyond: int) -> None:
    choices = [None, 0, beyond]
    scored_rows = ScoredRows([("answered", choice, (1.0, 0.0)) for choice in choices], np.arange(3))
    assert len(set(row_kinds(scored_rows, np.zeros(3, np.int64)).tolist())) == 3
