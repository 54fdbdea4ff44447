"""Controls: what is shown in place of the evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from egobench.controls import alter, clips, derangement, limited, seed_of
from egobench.sample import Clip, Sample


def sample(number: int, cluster: str) -> Sample:
    video, options = f"{cluster}.mp4", ("a", "b")
    return Sample(f"q{number}", "toy", "all", video, float(number), None, "?", options, 0, "a", None, cluster, {})


@given(some.lists(some.integers(0, 9), min_size=2, max_size=60), some.integers(0, 5))
def test_every_position_goes_to_another_cluster_and_none_is_used_twice(clusters: list[int], seed: int) -> None:
    names = [str(cluster) for cluster in clusters]
    if 2 * max(names.count(name) for name in names) > len(names):
        with pytest.raises(ValueError, match="more than half"):
            derangement(names, seed)
        return
    moved = derangement(names, seed)
    assert sorted(moved) == list(range(len(names)))
    assert all(names[there] != names[here] for here, there in enumerate(moved))


def test_other_video_depends_on_the_seed_and_not_on_which_samples_are_asked() -> None:
    samples = [sample(number, f"v{number % 7}") for number in range(28)]
    first = clips(samples, "other-video", 0)
    assert first == clips(samples, "other-video", 0)
    assert first != clips(samples, "other-video", 1)
    assert clips(samples, None, 0)["q3"] == Clip("v3.mp4", 3.0, None)
    assert all(first[one.id].video != one.video for one in samples)


def test_frames_are_repeated_reversed_or_permuted() -> None:
    frames = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, axis=3)
    order = {control: alter(frames, control, 5)[:, 0, 0, 0].tolist() for control in ("first-frame", "reversed")}
    assert order == {"first-frame": [0, 0, 0, 0], "reversed": [3, 2, 1, 0]}
    shuffled = alter(frames, "shuffled", 5)[:, 0, 0, 0].tolist()
    assert sorted(shuffled) == [0, 1, 2, 3]
    assert shuffled == alter(frames, "shuffled", 5)[:, 0, 0, 0].tolist()
    assert alter(frames, None, 5) is frames


def test_a_limit_is_a_seeded_choice_in_the_order_of_the_set() -> None:
    samples = [sample(number, f"v{number}") for number in range(50)]
    chosen = limited(samples, 10, 0)
    assert len(chosen) == 10
    assert [int(one.id[1:]) for one in chosen] == sorted(int(one.id[1:]) for one in chosen)
    assert chosen == limited(list(reversed(samples)), 10, 0)[::-1]
    assert chosen != limited(samples, 10, 1)
    assert limited(samples, None, 0) == samples
    assert limited(samples, 99, 0) == samples


def test_seeds_of_samples_differ_by_sample_and_by_seed() -> None:
    one, two = sample(1, "v"), sample(2, "v")
    assert len({seed_of(one, 0), seed_of(one, 1), seed_of(two, 0), seed_of(two, 1)}) == 4
