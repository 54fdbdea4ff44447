"""Several orders of the options, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from egobench.metrics import ScoredSample
from egobench.metrics.orders import circular, position_bias, positions
from egobench.orders import orders_of, shown_at, turn, turn_back, turned
from egobench.statistics import chance
from tests.metrics.samples import choice

FOUR = "abcd"


def chosen(target: int, *picks: int | None) -> ScoredSample:
    """A sample of four options and the option picked in each order, by its own position; ``None`` for a tie of all."""
    scores = [tuple(float(pick is None or position == pick) for position in range(4)) for pick in picks]
    return replace(choice(scores[0], target, FOUR), turned=tuple(scores[1:]))


def always_at(position: int, target: int) -> ScoredSample:
    """What a model says that names the same position in all four orders."""
    return chosen(target, *((position + order) % 4 for order in range(4)))


def test_order_two_shows_the_third_option_first() -> None:
    sample = choice((0, 0, 0, 0), 1, FOUR).sample
    shown = turned(replace(sample, relevance=(0.0, 1.0, 0.5, 0.25)), 2)
    assert (shown.options, shown.target, shown.relevance) == (tuple("cdab"), 3, (0.5, 0.25, 0.0, 1.0))
    assert shown.options[shown_at(1, 2, 4)] == "b"


@pytest.mark.parametrize("order", range(4))
def test_turning_back_undoes_turning(order: int) -> None:
    assert turn_back(turn(FOUR, order), order) == tuple(FOUR)


def test_no_sample_is_asked_in_more_orders_than_it_has_options() -> None:
    assert list(orders_of(choice((0, 0), 0, "ab").sample, 4)) == [0, 1]
    assert list(orders_of(choice(None, None, "").sample, 4)) == [0]


@pytest.mark.parametrize(
    ("scored", "value"),
    [
        (chosen(2, 2, 2, 2, 2), 1),
        (chosen(2, 2, 2, 2, 1), 0),
        (chosen(2, 2, None), 1 / 4),
        (chosen(2, None, None), 1 / 16),
        (always_at(0, 0), 0),
        (choice(None, 2, FOUR), 0),
    ],
)
def test_circular_accuracy_asks_for_the_right_option_in_every_order(scored: ScoredSample, value: float) -> None:
    assert circular.value(scored) == pytest.approx(value, abs=1e-15)


def test_chance_of_circular_accuracy_is_a_product_over_the_orders() -> None:
    samples = [choice((0, 0, 0, 0), 1, FOUR).sample, choice((0, 0), 1, "ab").sample]
    assert chance(circular, samples, orders=3) == pytest.approx((1 / 4**3 + 1 / 2**2) / 2, abs=1e-15)


@pytest.mark.parametrize(
    ("scored_samples", "value"),
    [
        ([chosen(2, 2, 2, 2, 2), chosen(0, 0, 0, 0, 0)], 0),
        ([always_at(0, 2)], 3 / 4),
        ([always_at(position, 1) for position in range(4)], 0),
        ([chosen(0, None)], 3 / 4),  # said 1/4 everywhere, and the right option stood first
        ([chosen(0, 0), chosen(0, 1)], 1 / 2),  # said half and half, right always first
        ([choice(None, 1, FOUR)], 0),
    ],
)
def test_position_bias_is_the_share_of_answers_that_stand_where_right_ones_do_not(
    scored_samples: Sequence[ScoredSample], value: float
) -> None:
    assert position_bias.value(scored_samples) == pytest.approx(value, abs=1e-15)


def test_positions_are_those_shown_not_those_of_the_sample_set() -> None:
    said, stood = positions([chosen(1, 1, 1)])  # b stands second, then first
    assert said == stood == [1 / 2, 1 / 2, 0, 0]
