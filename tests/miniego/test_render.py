"""The renderer: what differs in the world differs in the pixels, and what cannot be seen does not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from egobench.miniego.drawing.ego_view import ROOM_COLOURS
from egobench.miniego.drawing.fixtures import LAYOUTS
from egobench.miniego.drawing.motion import GESTURES
from egobench.miniego.drawing.renderer import Renderer
from egobench.miniego.drawing.things import SHAPES
from egobench.miniego.drawing.timecode import Picture
from egobench.miniego.world.episode import Episode, View
from egobench.miniego.world.vocabulary import COLOURS, FIXTURES, NOUNS, OPENED, ROOMS, SWITCHED, VERBS, WIPED
from tests.miniego.small_world import Value, hall, kitchen

HANDS_WITHOUT_TOOL = ["wash", "fill", "drink", "fold", "shake", "read", "put", "throw"]


def picture(episode: Episode, *, time: float = 0.5, view: View = "ego") -> Picture:
    """One picture of an episode, by default before its step begins."""
    return Renderer(episode, view).picture(time)


def differing(first: Picture, second: Picture) -> int:
    """Number of pixels that clearly differ."""
    return int((np.abs(first.astype(int) - second.astype(int)).max(axis=2) > 40).sum())


def pixels_of(colour: str, drawing: Picture) -> int:
    """Number of pixels of a colour of the world."""
    return int((np.abs(drawing.astype(int) - np.array(COLOURS[colour])).max(axis=2) < 12).sum())


def test_everything_in_the_vocabulary_has_a_drawing() -> None:
    assert set(NOUNS) | {"door"} == set(SHAPES)
    assert set(FIXTURES) == set(LAYOUTS)
    assert set(VERBS) == set(GESTURES)
    assert set(ROOMS) == set(ROOM_COLOURS)


def test_a_picture_is_192_rows_of_256_unless_another_size_is_asked_for() -> None:
    assert picture(kitchen()).shape == (192, 256, 3)
    assert Renderer(kitchen(), "exo2", (320, 240)).picture(0).shape == (240, 320, 3)


@pytest.mark.parametrize("place", ["counter", "right"])
def test_any_two_nouns_of_one_colour_look_different(place: str) -> None:
    pictures = {noun: picture(kitchen((noun, "red", place))) for noun in NOUNS}
    assert min(differing(pictures[first], pictures[second]) for first, second in combinations(NOUNS, 2)) >= 60


@pytest.mark.parametrize("place", ["counter", "left"])
def test_any_two_colours_of_one_noun_look_different(place: str) -> None:
    for noun in NOUNS:
        pictures = [picture(kitchen((noun, colour, place))) for colour in COLOURS]
        assert min(differing(first, second) for first, second in combinations(pictures, 2)) >= 60, noun


def test_every_state_of_a_thing_is_visible_in_the_hand_and_on_the_counter() -> None:
    for noun, kind in NOUNS.items():
        for key, _ in kind.states:
            for place in ("counter", "right"):
                usual = picture(kitchen((noun, "yellow", place)))
                other = picture(kitchen((noun, "yellow", place), states={f"{noun}-1": {key: key != "clean"}}))
                assert differing(usual, other) >= 25, (noun, key, place)


@pytest.mark.parametrize(
    ("noun", "key", "value"),
    [(noun, "open", True) for noun in OPENED]
    + [(noun, "on", True) for noun in SWITCHED]
    + [(noun, "clean", False) for noun in WIPED],
)
def test_every_state_of_a_fixture_is_visible(noun: str, key: str, value: Value) -> None:
    room = FIXTURES[noun].room
    usual = picture(kitchen(facing=noun, room=room))
    other = picture(kitchen(facing=noun, room=room, states={f"{room}/{noun}": {key: value}}))
    assert differing(usual, other) >= 150


def test_what_is_in_a_closed_fridge_is_not_seen_and_in_an_open_one_it_is() -> None:
    closed = [picture(kitchen(("cup", colour, "fridge"), facing="fridge")) for colour in ("red", "blue")]
    assert np.array_equal(closed[0], closed[1])
    opened: dict[str, dict[str, Value]] = {"kitchen/fridge": {"open": True}}
    seen = [picture(kitchen(("cup", colour, "fridge"), facing="fridge", states=opened)) for colour in ("red", "blue")]
    assert pixels_of("red", seen[0]) >= 100 and pixels_of("red", seen[1]) == 0


def test_what_stands_behind_the_wearer_is_not_seen() -> None:
    behind = [picture(kitchen(("cup", colour, "sink"), facing="fridge")) for colour in ("red", "blue")]
    assert np.array_equal(behind[0], behind[1])


def test_every_fixture_looks_different_and_so_does_every_room() -> None:
    fixtures = [picture(kitchen(facing=noun, room=kind.room)) for noun, kind in FIXTURES.items()]
    assert min(differing(first, second) for first, second in combinations(fixtures, 2)) >= 2000


def test_left_and_right_hand_are_told_apart_by_side() -> None:
    left, right = (picture(kitchen(("ball", "red", side))) for side in ("left", "right"))
    assert pixels_of("red", left[:, :128]) >= 500 and pixels_of("red", left[:, 128:]) == 0
    assert pixels_of("red", right[:, 128:]) >= 500 and pixels_of("red", right[:, :128]) == 0


@pytest.mark.parametrize("view", ["ego", "exo1"])
def test_verbs_done_to_the_same_held_thing_look_different(view: View) -> None:
    pictures: dict[str, list[Picture]] = {}
    for verb in HANDS_WITHOUT_TOOL:
        place = {"wash": "sink", "fill": "sink", "throw": "bin", "put": "counter"}.get(verb)
        step = (verb, "jug-1", f"kitchen/{place}" if place else None)
        renderer = Renderer(
            kitchen(("jug", "red", "right"), facing="sink", step=step, hand="both" if verb == "fold" else "right"), view
        )
        pictures[verb] = [renderer.picture(1 + 2 * progress) for progress in (0.25, 0.4, 0.6)]
    least = 400 if view == "ego" else 25
    for first, second in combinations(pictures, 2):
        differences = [
            differing(before, after) for before, after in zip(pictures[first], pictures[second], strict=True)
        ]
        assert max(differences) >= least, (first, second)


@pytest.mark.parametrize(
    ("verb", "tool", "thing", "moves"),
    [
        ("cut", "knife", "bread", 100),
        ("stir", "spoon", "bowl", 100),
        ("wipe", "sponge", "counter", 100),
        ("pour", "jug", "bowl", 0),
    ],
)
def test_a_tool_moves_over_what_it_is_used_on(verb: str, tool: str, thing: str, moves: int) -> None:
    things = [(tool, "blue", "left")] + ([(thing, "red", "counter")] if thing != "counter" else [])
    subject = f"{thing}-1" if thing != "counter" else "kitchen/counter"
    step = (verb, f"{tool}-1", subject) if verb == "pour" else (verb, subject, f"{tool}-1")
    renderer = Renderer(kitchen(*things, step=step, hand="left"), "ego")
    at_rest, early, late = (renderer.picture(time) for time in (0.5, 1.8, 2.1))
    assert differing(at_rest, early) >= 1000
    assert differing(early, late) >= moves


@pytest.mark.parametrize("verb", ["open", "close"])
def test_a_door_stands_ajar_in_the_middle_of_opening_and_closing(verb: str) -> None:
    renderer = Renderer(kitchen(facing="fridge", step=(verb, "kitchen/fridge", None)), "ego")
    begin, middle, end = (renderer.picture(time) for time in (1.0, 2.0, 2.99))
    assert differing(begin, middle) >= 1000 and differing(middle, end) >= 1000 and differing(begin, end) >= 1000


def test_a_taken_thing_travels_from_its_place_to_the_hand() -> None:
    renderer = Renderer(kitchen(("ball", "red", "counter"), step=("take", "ball-1", "kitchen/counter")), "ego")
    assert differing(renderer.picture(1.2), renderer.picture(2.0)) >= 500


@pytest.mark.parametrize("view", ["ego", "exo3"])
def test_a_moment_looks_the_same_whatever_was_drawn_before(view: View) -> None:
    episode = kitchen(("cup", "red", "right"), ("plate", "blue", "counter"), step=("shake", "cup-1", None))
    used = Renderer(episode, view)
    for time in (0.1, 3.5, 2.2):
        used.picture(time)
    assert np.array_equal(used.picture(1.7), Renderer(episode, view).picture(1.7))


@pytest.mark.parametrize("view", ["exo1", "exo2", "exo3", "exo4"])
def test_a_fixed_camera_shows_the_wearer_at_the_fixture_that_is_faced(view: View) -> None:
    at_sink, at_fridge = (picture(kitchen(facing=noun), view=view) for noun in ("sink", "fridge"))
    changed = np.nonzero(np.abs(at_sink.astype(int) - at_fridge.astype(int)).max(axis=2) > 40)
    assert len(changed[0]) >= 800
    assert np.array_equal(at_sink[:20, :20], at_fridge[:20, :20])


def test_a_fixed_camera_shows_what_is_held_and_what_stands_about() -> None:
    in_hand = picture(kitchen(("ball", "red", "right")), view="exo2")
    standing = picture(kitchen(("ball", "red", "counter"), facing="fridge"), view="exo2")
    assert pixels_of("red", in_hand) >= 50
    assert pixels_of("red", standing) >= 20


def test_the_four_cameras_see_four_different_pictures() -> None:
    views: tuple[View, ...] = ("exo1", "exo2", "exo3", "exo4")
    pictures = [picture(kitchen(("cup", "red", "right")), view=view) for view in views]
    assert min(differing(first, second) for first, second in combinations(pictures, 2)) >= 2000


def test_a_turned_head_sees_the_colour_of_the_doorway_there() -> None:
    for look, colour, others in (("left", "red", ("green", "blue")), ("right", "blue", ("red", "green"))):
        drawing = picture(hall(look=look))  # type: ignore[arg-type]
        assert pixels_of(colour, drawing) >= 4000
        assert [pixels_of(other, drawing) for other in others] == [0, 0]


def test_the_doorway_ahead_grows_as_the_wearer_comes_near() -> None:
    far, middle, near = (pixels_of("green", picture(hall(distance=distance))) for distance in (1.0, 0.5, 0.06))
    assert 50 <= far < middle / 2 < near / 4


def test_a_walk_has_no_fixed_cameras() -> None:
    with pytest.raises(ValueError, match=r"episode 8 \(walk\) has no view 'exo1'"):
        Renderer(hall(), "exo1")
