"""Eq. 1 by hand, and against a second implementation that knows no vectors, no sorting trick and no neighbours."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reference_exo2ego.data.clip_bounds import clip_bounds, half_width, mean_gap
from tests.reference_exo2ego.data.naive_bounds import naive_bounds

TIMES = some.lists(some.floats(0, 100, allow_nan=False), min_size=1, max_size=12).map(sorted)


def test_the_mean_gap_telescopes() -> None:
    # By hand: (2 - 1) + (5 - 2) + (7 - 5) = 6 seconds in three gaps.
    assert mean_gap([1.0, 2.0, 5.0, 7.0]) == pytest.approx(2.0)


def test_a_lone_narration_has_no_mean_gap_and_a_clip_of_a_second() -> None:
    assert mean_gap([3.0]) is None
    assert clip_bounds([3.0], half_width(None, 4.0), 10.0) == [(2.5, 3.5)]


def test_clips_reach_to_their_neighbours_at_most() -> None:
    # By hand: beta 2, alpha 1, half 1; the clip at 2 s would start at 1 s, where its neighbour is, and ends at 3 s.
    assert clip_bounds([1.0, 2.0, 5.0, 7.0], half_width(2.0, 1.0), 7.5) == [
        (0.0, 2.0),
        (1.0, 3.0),
        (4.0, 6.0),
        (6.0, 7.5),
    ]


def test_only_a_clip_between_two_equal_moments_has_no_length() -> None:
    bounds = clip_bounds([1.0, 4.0, 4.0, 4.0, 6.0], 0.5, 10.0)
    assert [end - start for start, end in bounds] == [1.0, 0.5, 0.0, 0.5, 1.0]


def test_narrations_all_at_one_moment_get_half_a_second_to_either_side() -> None:
    assert half_width(0.0, 0.0) == 0.5


@given(TIMES, some.floats(0.01, 10), some.floats(0, 20))
def test_bounds_are_those_of_a_naive_implementation(times: list[float], alpha: float, more: float) -> None:
    beta, duration = mean_gap(times), times[-1] + more
    bounds = clip_bounds(times, half_width(beta, alpha), duration)
    expected = naive_bounds(times, beta, alpha, duration)
    for (start, end), (naive_start, naive_end) in zip(bounds, expected, strict=True):
        assert math.isclose(start, naive_start, abs_tol=1e-9)
        assert math.isclose(end, naive_end, abs_tol=1e-9)


@given(TIMES, some.floats(0.01, 10))
def test_every_clip_holds_its_moment_and_lies_in_its_video(times: list[float], alpha: float) -> None:
    bounds = clip_bounds(times, half_width(mean_gap(times), alpha), 100.0)
    assert all(0 <= start <= time <= end <= 100 for time, (start, end) in zip(times, bounds, strict=True))
