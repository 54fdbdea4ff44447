"""The order of clips: everything as often as it should be, and a function of the step alone."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

pytest.importorskip("torch")

from reference_exo2ego.training.sampler import ClipOrder, micro_size


def epoch(order: ClipOrder, batch: int, number: int = 0) -> list[int]:
    steps = order.per_epoch // batch
    return [clip for step in range(number * steps, (number + 1) * steps) for clip in order.batch_of(step)]


@pytest.mark.parametrize("lengths", [None, list(range(60))])
def test_an_epoch_shows_every_clip_once(lengths: list[int] | None) -> None:
    order = ClipOrder([1.0] * 60, lengths, batch=6, seed=1)
    first, second = epoch(order, 6), epoch(order, 6, 1)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second


def test_weights_say_how_often_a_clip_is_shown() -> None:
    order = ClipOrder([2.0] * 10 + [0.5] * 40, None, batch=8, seed=1)
    assert order.per_epoch == 40
    times = Counter(epoch(order, 8))
    assert all(times[clip] == 2 for clip in range(10))
    assert sum(times[clip] for clip in range(10, 50)) == 20 and max(times[clip] for clip in range(10, 50)) == 1
    # The halves fall on other clips in other epochs.
    over_epochs = Counter(clip for number in range(40) for clip in epoch(order, 8, number))
    assert all(8 < over_epochs[clip] < 32 for clip in range(10, 50))


@pytest.mark.parametrize(
    ("weights", "clips"), [([0.1] * 23050, 2305), ([0.1] * 5, 1), ([0.3], 1), ([0.7] * 10 + [0.1] * 3, 7)]
)
def test_an_epoch_holds_as_many_clips_as_it_says(weights: list[float], clips: int) -> None:
    """The sums of weights are 2305, 0.5, 0.3 and 7.3; running sums of tenths in float64 end below 2305."""
    order = ClipOrder(weights, None, batch=clips, seed=1)
    assert order.per_epoch == clips
    for number in range(8):
        times = Counter(order.batch_of(number))
        assert times.total() == clips
        assert all(count <= math.ceil(weights[clip]) for clip, count in times.items())


@pytest.mark.parametrize("grouped", [False, True])
def test_every_epoch_of_any_weights_is_whole(grouped: bool) -> None:
    drawn = random.Random(3)
    for _ in range(150):
        size = drawn.choice([1, 2, 7, 100, 3001])
        choice = drawn.choice(
            [[0.1], [0.3, 0.7], [1 / 3], [0.0007], [1.0, 2.5], [drawn.random() + 1e-6 for _ in range(9)]]
        )
        weights = [drawn.choice(choice) for _ in range(size)]
        order = ClipOrder(weights, [clip % 5 for clip in range(size)] if grouped else None, batch=1, seed=size)
        for number in range(3):
            times = Counter(order.batch_of(number * order.per_epoch + place)[0] for place in range(order.per_epoch))
            assert times.total() == order.per_epoch == max(1, math.floor(math.fsum(weights) + 1e-9))
            assert all(count <= math.ceil(weights[clip]) for clip, count in times.items())


def test_the_order_of_epochs_that_were_whole_stays_what_it_was() -> None:
    """Written down before epochs of a clip too few were mended: a training goes on with the clips that are left."""
    whole = ClipOrder([1.0] * 12, None, batch=4, seed=5)
    assert [whole.batch_of(step) for step in range(3)] == [[7, 3, 6, 1], [10, 0, 4, 8], [2, 9, 11, 5]]
    parts = ClipOrder([0.5] * 8 + [1.5] * 4, [clip % 3 for clip in range(12)], batch=4, seed=5)
    assert [parts.batch_of(step) for step in range(4)] == [[8, 11, 9, 6], [8, 11, 5, 10], [8, 11, 9, 0], [8, 1, 10, 7]]


def test_a_batch_depends_on_nothing_but_its_step() -> None:
    straight = ClipOrder([1.0] * 30, [1] * 30, batch=4, seed=3)
    batches = [straight.batch_of(step) for step in range(20)]
    back = ClipOrder([1.0] * 30, [1] * 30, batch=4, seed=3)
    assert [back.batch_of(step) for step in reversed(range(20))] == batches[::-1]
    assert ClipOrder([1.0] * 30, [1] * 30, batch=4, seed=4).batch_of(0) != batches[0]


def test_texts_of_a_like_length_stand_together() -> None:
    lengths = [(37 * clip) % 101 for clip in range(400)]
    spread = {
        grouped: sum(
            max(lengths[clip] for clip in batch) - min(lengths[clip] for clip in batch)
            for batch in (
                ClipOrder([1.0] * 400, lengths if grouped else None, batch=8, seed=0).batch_of(step)
                for step in range(50)
            )
        )
        for grouped in (False, True)
    }
    assert spread[True] < 0.2 * spread[False]


@pytest.mark.parametrize(
    ("batch", "processes", "most", "size"),
    [(512, 16, 8, 8), (64, 16, 8, 4), (64, 1, 8, 8), (24, 2, 8, 6), (6, 2, 2, 1)],
)
def test_a_process_computes_the_most_that_divides_its_part(batch: int, processes: int, most: int, size: int) -> None:
    assert micro_size(batch, processes, most) == size


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch of 10 clips cannot be shared by 4 processes"):
        micro_size(10, 4, 2)
