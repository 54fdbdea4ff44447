"""What holds in every episode, whatever happens in it."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from egobench.miniego.official.charades import label
from egobench.miniego.world.activities import activities
from egobench.miniego.world.captions import phrase
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.scene import ImpossibleStepError, Scene
from egobench.miniego.world.shorts import ACTIONS
from egobench.miniego.world.simulate import World, simulate
from egobench.miniego.world.streams import stream
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, VERBS
from egobench.miniego.world.walks import MOVES, sought, whereabouts

HANDS = ("left", "right")


def _acted(world: World) -> list[Episode]:
    return [episode for episode in world.episodes if episode.kind != "walk"]


def test_everything_has_one_place_at_every_moment(small: World) -> None:
    for episode in _acted(small):
        for change in episode.changes:
            state = episode.at(change.time).state
            places = {thing.id: state[thing.id]["place"] for thing in episode.things}
            assert set(places.values()) <= {*HANDS, *(fixture.id for fixture in episode.fixtures)}
            assert max(Counter(place for place in places.values() if place in HANDS).values(), default=0) <= 1


def test_nothing_is_reached_through_a_closed_door(small: World) -> None:
    for episode in _acted(small):
        for step in episode.steps:
            before = episode.at(step.start).state
            if step.verb in {"take", "put"}:
                assert before.get(str(step.other), {}).get("open", True), step
            if step.verb in {"open", "close"}:
                assert before[step.thing]["open"] == (step.verb == "close"), step


def test_what_is_done_with_a_thing_is_done_in_hand_and_what_is_taken_was_there(small: World) -> None:
    for episode in _acted(small):
        for step in episode.steps:
            place = episode.at(step.start).state.get(step.thing, {}).get("place")
            if step.verb == "take":
                assert place == step.other, step
            elif step.verb in {"put", "throw", "wash", "fill", "pour", "drink", "shake", "read"}:
                assert place == step.hand, step


def test_the_wearer_faces_where_a_step_happens(small: World) -> None:
    for episode in _acted(small):
        azimuths = {fixture.id: fixture.azimuth for fixture in episode.fixtures}
        for step in episode.steps:
            snapshot = episode.at(step.start)
            facing = str(snapshot.state["wearer"]["facing"])
            assert abs((snapshot.gaze - azimuths[facing] + 180) % 360 - 180) < 5, step
            assert snapshot.room == step.room
            for name in (step.thing, step.other):
                assert name not in azimuths or name == facing, step


def test_steps_follow_one_another_with_changes_inside_them(small: World) -> None:
    for episode in _acted(small):
        ends = [0.0, *(step.end for step in episode.steps)]
        assert all(end < step.start < step.end for end, step in zip(ends, episode.steps, strict=False))
        assert ends[-1] < episode.seconds
        times = [change.time for change in episode.changes]
        assert times == sorted(times)


def test_activities_last_20_to_60_seconds_and_shorts_have_two_steps_or_three(small: World) -> None:
    assert all(20 <= episode.seconds <= 60 for episode in small.test)
    assert all(len(episode.steps) in {2, 3} for episode in small.shorts)
    assert all(3 <= episode.seconds <= 8 for episode in small.walks)


def test_a_caption_means_one_thing_done_in_one_way(small: World) -> None:
    for episode in _acted(small):
        assert len({phrase(thing) for thing in episode.things}) == len(episode.things)
        meanings = defaultdict(set)
        for step in episode.steps:
            other = step.other if step.verb not in {"stir", "cut", "wipe"} else None
            meanings[step.text].add((step.verb, step.thing, other))
        assert all(len(senses) == 1 for senses in meanings.values())


def test_at_least_12_verbs_are_used_with_at_least_15_nouns(small: World) -> None:
    used: defaultdict[str, set[str]] = defaultdict(set)
    for episode in small.test:
        nouns = {thing.id: thing.noun for thing in episode.things}
        for step in episode.steps:
            used[step.verb].add(nouns.get(step.thing, ""))
    assert len(used) >= 12
    assert len(set().union(*used.values())) >= 15
    assert len(VERBS) >= 12
    assert len(NOUNS) >= 15


def test_siblings_share_goal_and_nouns_and_differ_in_the_rest() -> None:
    siblings = activities(0, "test", 3, 15.0, alike=True)
    moved = [
        tuple(sorted({thing.noun for thing in episode.things if any(step.thing == thing.id for step in episode.steps)}))
        for episode in siblings
    ]
    assert len({episode.goal for episode in siblings}) == 1
    assert len(set(moved)) == 1
    assert len({tuple(step.text for step in episode.steps) for episode in siblings}) == 5


def test_walks_with_one_instruction_need_all_four_moves(small: World) -> None:
    for first in range(0, len(small.walks), 4):
        group = small.walks[first : first + 4]
        assert len({walk.facts["instruction"] for walk in group}) == 1
        assert {whereabouts(walk, sought(walk)) for walk in group} == set(MOVES)


def test_the_classes_of_charades_are_157_with_different_texts() -> None:
    assert len(ACTIONS) == 157
    assert len({label(number) for number in range(157)}) == 157


def test_the_same_seed_gives_the_same_world_and_another_seed_another(small: World) -> None:
    assert simulate("small").episodes == small.episodes
    assert simulate("small", seed=1).test[0].steps != small.test[0].steps


def test_what_cannot_happen_is_refused() -> None:
    scene = Scene(("kitchen",), stream("refused"))
    cup = scene.add("cup", "red", "fridge")
    with pytest.raises(ImpossibleStepError, match="it is closed"):
        scene.do("take", cup, "kitchen/fridge", "left")
    with pytest.raises(ImpossibleStepError, match="not in that hand"):
        scene.do("put", cup, "kitchen/counter", "left")
    with pytest.raises(ImpossibleStepError, match="captions could not tell the two apart"):
        scene.add("cup", "red", "counter")
    scene.do("open", "kitchen/fridge", None, "left")
    with pytest.raises(ImpossibleStepError, match="it is that already"):
        scene.do("open", "kitchen/fridge", None, "left")
    scene.do("take", cup, "kitchen/fridge", "left")
    with pytest.raises(ImpossibleStepError, match="the hand is full"):
        scene.do("close", "kitchen/fridge", None, "left")


def test_the_state_follows_the_changes() -> None:
    scene = Scene(("kitchen",), stream("followed"))
    cup = scene.add("cup", "red", "counter", clean=False)
    scene.do("take", cup, "kitchen/counter", "left")
    scene.do("wash", cup, "kitchen/sink", "left")
    episode = scene.finish(0, "short", "test", "", 10.0, {})
    take, wash = episode.steps
    assert episode.at(take.start).state[cup]["place"] == "kitchen/counter"
    assert episode.at(take.end).state[cup]["place"] == "left"
    assert (episode.at(wash.start).state[cup]["clean"], episode.at(wash.end).state[cup]["clean"]) == (False, True)
    assert episode.at(wash.start).step == wash
    assert episode.at(wash.start + 0.25 * (wash.end - wash.start)).progress == pytest.approx(0.25)
    assert episode.at(0.0).step is None


def test_every_fixture_noun_stands_in_one_room() -> None:
    assert all(kind.holds in {"", "in", "on"} for kind in FIXTURES.values())
    assert not set(FIXTURES) & set(NOUNS)
