"""Expected numbers are arithmetic by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from egobench.video import FrameRule
from egobench.video.sampling import Size, shrunk_size, square_pixel_size

THIRTY = [number / 30 for number in range(300)]
"""Display times of ten seconds at 30 frames a second."""


def test_moments_are_the_midpoints_of_equal_parts() -> None:
    assert FrameRule(count=4).moments(2, 4, 10) == (2.25, 2.75, 3.25, 3.75)


def test_sixteen_frames_are_the_default() -> None:
    moments = FrameRule().moments(0, 16, 20)
    assert moments == tuple(number + 0.5 for number in range(16))


def test_the_frame_of_a_moment_is_the_last_one_displayed_at_or_before_it() -> None:
    times = [0.0, 0.4, 0.5, 0.9]
    assert FrameRule(count=1, min_seconds=0).frames(0.0, 1.0, 1.0, times) == (2,)  # 0.5 s: the frame of 0.5 s itself
    assert FrameRule(count=1, min_seconds=0).frames(0.0, 0.98, 1.0, times) == (1,)  # 0.49 s
    assert FrameRule(count=2, min_seconds=0).frames(0.0, 1.0, 1.0, times) == (0, 2)  # 0.25 s and 0.75 s


def test_frame_numbers_of_one_second_at_thirty_frames_a_second() -> None:
    # Midpoints 1 + (2i + 1)/32 s, times 30: 30.9375, 32.8125, 34.6875, ...
    numbers = FrameRule().frames(1, 2, 10, THIRTY)
    assert numbers == (30, 32, 34, 36, 38, 40, 42, 44, 45, 47, 49, 51, 53, 55, 57, 59)


def test_no_end_and_an_end_beyond_the_file_mean_the_end_of_the_file() -> None:
    rule = FrameRule(count=2)
    assert rule.moments(8, None, 10) == rule.moments(8, 99, 10) == (8.5, 9.5)


def test_a_negative_start_means_the_beginning() -> None:
    assert FrameRule(count=2).moments(-3, 4, 10) == (1, 3)


def test_a_clip_wholly_before_the_beginning_shows_the_beginning() -> None:
    assert FrameRule().window(-3, -1, 10) == (0, 0.5)


def test_short_clips_are_widened_evenly() -> None:
    assert FrameRule().window(5.0, 5.1, 10) == pytest.approx((4.8, 5.3))


def test_a_short_clip_at_the_edge_is_widened_inside_the_file() -> None:
    assert FrameRule().window(0.0, 0.1, 10) == (0.0, 0.5)
    assert FrameRule().window(9.9, 10.0, 10) == (9.5, 10.0)


def test_a_file_shorter_than_the_least_window_is_shown_whole() -> None:
    assert FrameRule().window(0.1, 0.2, 0.3) == (0.0, 0.3)


def test_the_last_rule_ends_with_the_frame_at_the_end_itself() -> None:
    # 15 midpoints of [0, 6]: 0.2, 0.6, ..., 5.8 s; then 6 s, which is frame 180.
    numbers = FrameRule(last=True).frames(0, 6, 10, THIRTY)
    assert numbers == (6, 18, 30, 42, 54, 66, 78, 90, 102, 114, 126, 138, 150, 162, 174, 180)


@pytest.mark.parametrize("number", range(300))
def test_the_last_rule_finds_every_observation_frame_and_nothing_after_it(number: int) -> None:
    numbers = FrameRule(last=True).frames(0, number / 30, 10, THIRTY)
    assert numbers[-1] == number
    assert max(numbers) == number


@pytest.mark.parametrize("number", range(300))
def test_times_in_whole_milliseconds_do_not_hide_the_observation_frame(number: int) -> None:
    numbers = FrameRule(last=True).frames(0, number / 30, 10, [round(time, 3) for time in THIRTY])
    assert numbers[-1] == number


def test_a_short_clip_with_the_last_rule_is_widened_backwards_only() -> None:
    assert FrameRule(last=True).window(5.0, 5.1, 10) == pytest.approx((4.6, 5.1))
    assert FrameRule(last=True).window(0.0, 0.1, 10) == (0.0, 0.1)


def test_a_single_last_frame_is_the_one_at_the_end() -> None:
    assert FrameRule(count=1, last=True).frames(0, 2, 10, THIRTY) == (60,)


def test_the_shorter_side_is_scaled_and_the_aspect_kept() -> None:
    assert shrunk_size(Size(640, 480), 336) == (448, 336)
    assert shrunk_size(Size(480, 640), 336) == (336, 448)
    assert shrunk_size(Size(1920, 1080), 336) == (597, 336)  # 597.33


@pytest.mark.parametrize(
    ("width", "height", "aspect", "expected"),
    [
        (224, 224, "16/9", (398, 224)),  # 398.2
        (720, 480, "8/9", (640, 480)),
        (720, 576, "64/45", (1024, 576)),
        (1440, 1080, "4/3", (1920, 1080)),
        (456, 256, "512/513", (456, 256)),  # 455.1: 1920 x 1080 made 456 x 256
        (598, 336, "896/897", (598, 336)),
        (100, 20, "100/95", (100, 20)),  # 19 rows instead of 20
        (64, 48, "1/1", (64, 48)),
        (2, 2, "1/100", (1, 2)),
    ],
)
def test_pixels_are_made_square_unless_a_size_was_rounded(
    width: int, height: int, aspect: str, expected: tuple[int, int]
) -> None:
    assert square_pixel_size(Size(width, height), Fraction(aspect)) == expected


def test_nothing_is_enlarged() -> None:
    assert shrunk_size(Size(320, 240), 336) == (320, 240)


@pytest.mark.parametrize(("count", "short_side", "min_seconds"), [(0, 336, 0.5), (16, 0, 0.5), (16, 336, -0.1)])
def test_a_rule_that_shows_nothing_is_refused(count: int, short_side: int, min_seconds: float) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        FrameRule(count=count, short_side=short_side, min_seconds=min_seconds)


@pytest.mark.parametrize(
    ("seconds", "fps", "count", "moments"),
    [
        (4.0, 1.0, 64, (0.5, 1.5, 2.5, 3.5)),
        (4.0, 0.5, 64, (1.0, 3.0)),
        (4.0, 10.0, 2, (1.0, 3.0)),
        (0.6, 1.0, 64, (0.3,)),
    ],
)
def test_frames_by_rate_are_midpoints_of_as_many_equal_parts(
    seconds: float, fps: float, count: int, moments: tuple[float, ...]
) -> None:
    """By hand: seconds x rate parts, at least one, at most the count."""
    assert FrameRule(count=count, fps=fps).moments(0.0, seconds, 10.0) == pytest.approx(moments)


def test_the_last_frame_is_one_of_those_that_a_rate_gives() -> None:
    """By hand: 4 s at 1 per second are 4 frames: three midpoints of thirds, and the end."""
    rule = FrameRule(count=64, fps=1.0, last=True)
    assert rule.moments(0.0, 4.0, 10.0) == pytest.approx((4 / 6, 2.0, 20 / 6, 4.0))


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match=r"fps is .*; expected a number"):
        FrameRule(fps=fps)
