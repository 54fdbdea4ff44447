"""Accuracy, by hand."""

from __future__ import annotations

import pytest

from egobench.metrics.accuracy import accuracy
from tests.metrics.samples import choice


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ((0, 0, 1, 0, 0), 1),
        ((1, 0, 0, 0, 0), 0),
        ((-3.5, -2.0, -1.5, -9.0, -1.6), 1),
        ((0, 0, 0, 0, 0), 1 / 5),
        ((2, 0, 2, 2, 0), 1 / 3),
        ((float("-inf"),) * 5, 1 / 5),
    ],
)
def test_the_target_gets_its_share_of_the_top_score(scores: tuple[float, ...], value: float) -> None:
    assert accuracy.value(choice(scores, 2)) == pytest.approx(value, abs=1e-15)


def test_a_sample_that_was_not_answered_or_has_no_public_answer_is_worth_nothing() -> None:
    assert accuracy.value(choice(None, 2)) == 0
    assert accuracy.value(choice((0, 0, 1, 0, 0), 2, outcome="media_error")) == 0
    assert accuracy.value(choice((0, 0, 1, 0, 0), None)) == 0


@pytest.mark.parametrize("scores", [(1, 0), (0, 0, float("nan"), 0, 0)])
def test_scores_that_do_not_fit_the_options_are_refused(scores: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="a number for each of 5 options"):
        accuracy.value(choice(scores, 2))
