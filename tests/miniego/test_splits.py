"""No episode to train or validate on is a test episode, of whatever size of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import pytest

from egobench.miniego.world.activities import activities
from egobench.miniego.world.episode import Episode, Split
from egobench.miniego.world.narrators import narrations
from egobench.miniego.world.simulate import SIZES, SizeName, World, simulate
from egobench.miniego.world.streams import split_stream, stream
from egobench.miniego.world.walks import walks

Content = Callable[[Episode], object]


@pytest.fixture(scope="module")
def worlds() -> dict[SizeName, World]:
    return {size: simulate(size) for size in SIZES}


def _tests(world: World) -> list[Episode]:
    return [*world.test, *world.shorts, *world.walks]


def _timed(episode: Episode) -> object:
    """Steps with their times; a walk has none, so its doors and moves."""
    return episode.steps or (episode.changes, episode.things)


def _arranged(episode: Episode) -> object:
    """What is done in which order with which things from where, whatever the times."""
    return tuple((step.text, step.hand, step.other) for step in episode.steps)


def _set_of(content: Content, episodes: Iterable[Episode]) -> set[object]:
    return {content(episode) for episode in episodes}


def test_no_training_episode_is_a_test_of_any_size(worlds: dict[SizeName, World]) -> None:
    for training, testing in product(worlds.values(), repeat=2):
        tests = _set_of(_timed, _tests(testing))
        for split in (training.train, training.val):
            assert not _set_of(_timed, split.episodes) & tests


def test_no_activity_to_train_on_does_what_a_test_activity_does(worlds: dict[SizeName, World]) -> None:
    for training, testing in product(worlds.values(), repeat=2):
        assert not _set_of(_arranged, training.takes) & _set_of(_arranged, testing.test)


def test_train_and_val_share_no_episode(worlds: dict[SizeName, World]) -> None:
    for training, validating in product(worlds.values(), repeat=2):
        assert not _set_of(_timed, training.train.episodes) & _set_of(_timed, validating.val.episodes)


@pytest.mark.parametrize(("split", "alike"), [*product(["train", "val"], [True, False])])
def test_a_family_of_one_number_differs_between_splits(split: Split, alike: bool) -> None:
    for number in (0, 45, 135):
        tests = activities(0, "test", number, 8.0, alike=alike)
        others = activities(0, split, number, 8.0, alike=alike)
        assert not _set_of(_timed, tests) & _set_of(_timed, others)
        assert not _set_of(_arranged, tests) & _set_of(_arranged, others)


def test_walks_of_one_group_differ_between_splits() -> None:
    splits: tuple[Split, ...] = ("train", "val", "test")
    groups = [_set_of(_timed, walks(0, split, 5, 0)) for split in splits]
    assert len(set().union(*groups)) == 3 * 5 * 4


def test_goals_and_rooms_of_a_split_have_an_order_of_their_own() -> None:
    def settings(split: Split) -> list[tuple[str, str]]:
        families = [activities(0, split, number, 8.0)[0] for number in range(20)]
        return [(episode.goal, episode.steps[0].room) for episode in families]

    assert settings("train") != settings("test") != settings("val") != settings("train")


def test_a_test_stream_is_that_of_seed_and_key_alone() -> None:
    assert split_stream(3, "test", "family", 7).random() == stream(3, "family", 7).random()
    assert split_stream(3, "train", "family", 7).random() == stream(3, "train", "family", 7).random()


def test_narrators_speak_of_a_take_by_its_split() -> None:
    train, val = (activities(0, split, 2, 8.0)[0] for split in ("train", "val"))
    same = [narration.time - (narration.step.start + narration.step.end) / 2 for narration in narrations(train, 0)]
    other = [narration.time - (narration.step.start + narration.step.end) / 2 for narration in narrations(val, 0)]
    assert same[:5] != pytest.approx(other[:5], abs=1e-3)


def test_numbers_are_unique_and_fit_into_the_timecode(worlds: dict[SizeName, World]) -> None:
    for world in worlds.values():
        numbers = [episode.number for episode in world.episodes]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] < 1 << 16
        assert {episode.split for episode in world.train.episodes} == {"train"}
        assert {episode.split for episode in world.val.episodes} == {"val"}
        assert {episode.split for episode in _tests(world)} == {"test"}


def test_the_size_train_has_the_tests_of_small(worlds: dict[SizeName, World]) -> None:
    assert _tests(worlds["train"]) == _tests(worlds["small"])
    assert len(worlds["train"].train.takes) == 1000
