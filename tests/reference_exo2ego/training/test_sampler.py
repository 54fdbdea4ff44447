"""The order of clips: everything as often as it should be, and a function of the step alone."""

from __future__ import annotations

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
    shown = Counter(epoch(order, 8))
    assert all(shown[clip] == 2 for clip in range(10))
    assert sum(shown[clip] for clip in range(10, 50)) == 20 and max(shown[clip] for clip in range(10, 50)) == 1
    # The halves fall on other clips in other epochs.
    over_epochs = Counter(clip for number in range(40) for clip in epoch(order, 8, number))
    assert all(8 < over_epochs[clip] < 32 for clip in range(10, 50))


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
