"""Short episodes of two or three steps around an action, and the 157 actions there are."""

from __future__ import annotations

from random import Random
from typing import Final, Literal

from egobench.miniego.world.episode import Episode, Hand, Split
from egobench.miniego.world.scene import Scene
from egobench.miniego.world.vocabulary import COLOURS, FIXTURES, NOUNS, OPENED, ROOMS, SWITCHED, WIPED

Reach = Literal["in", "on", ""]
Action = tuple[str, str, Reach]
"""Verb, noun, and for take and put whether it is from in or from on something."""


def _actions() -> list[Action]:
    actions: list[Action] = []
    reaches: tuple[Reach, ...] = ("in", "on")
    for noun, kind in NOUNS.items():
        actions.extend((verb, noun, reach) for verb in ("take", "put") for reach in reaches)
        actions.extend((verb, noun, "") for verb in kind.verbs)
    actions.extend(("wipe", noun, "") for noun in WIPED)
    actions.extend((verb, noun, "") for noun in OPENED for verb in ("open", "close"))
    actions.extend((verb, noun, "") for noun in SWITCHED for verb in ("turn on", "turn off"))
    return actions


ACTIONS: Final = _actions()
"""All 157 actions: the classes of MiniEgo's Charades-Ego."""


def short(rng: Random, number: int, action: int, split: Split, fps: float) -> Episode:
    """Simulate a short episode around an action.

    Args:
        rng: The source of every choice.
        number: Number of the episode.
        action: Index of the action in ``ACTIONS``.
        split: Its split.
        fps: Frames a second of its videos.
    """
    verb, noun, reach = ACTIONS[action]
    room = _room(rng, verb, noun)
    scene = Scene((room,), rng, wait=0.4)
    hand: Hand = rng.choice(["left", "right"])
    if noun in FIXTURES:
        _around_fixture(scene, rng, verb, noun, hand)
    else:
        _around_thing(scene, rng, (verb, noun, reach), hand)
    if len(scene.steps) == 1:
        _take_another(scene, rng)
    return scene.finish(number, "short", split, "", fps, {})


def _room(rng: Random, verb: str, noun: str) -> str:
    if noun in FIXTURES:
        return FIXTURES[noun].room
    if verb in {"throw", "cut", "fill"}:
        return "kitchen"
    return rng.choice(["kitchen", "bathroom"] if verb == "wash" else ROOMS)


def _holders(scene: Scene, *, opens: bool | None = None, holds: str = "") -> list[str]:
    """Nouns of the scene's fixtures that things are put in or on."""
    holders: list[str] = []
    for fixture in scene.fixtures.values():
        kind = FIXTURES[fixture.noun]
        fits = kind.holds and (not holds or kind.holds == holds) and (opens is None or kind.opens == opens)
        if fits and not kind.switch:
            holders.append(fixture.noun)
    return holders


def _around_fixture(scene: Scene, rng: Random, verb: str, noun: str, hand: Hand) -> None:
    """Simulate opening, closing, wiping or switching a fixture."""
    fixture = scene.fixture(noun)
    if verb == "wipe":
        sponge = scene.add("sponge", rng.choice(list(COLOURS)), hand)
        scene.do("wipe", fixture, sponge, hand)
        scene.do("put", sponge, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)
        return
    if verb in {"open", "close"}:
        scene.set_fixture(noun, "open", value=verb == "close")
        scene.do(verb, fixture, None, hand)
        return
    scene.set_fixture(noun, "on", value=verb == "turn off")
    scene.do(verb, fixture, None, hand)


def _take_another(scene: Scene, rng: Random) -> None:
    """Simulate taking a thing of another noun from where things lie openly."""
    noun = rng.choice([noun for noun in NOUNS if noun not in {thing.noun for thing in scene.things.values()}])
    place = rng.choice(_holders(scene, opens=False))
    thing = scene.add(noun, rng.choice(list(COLOURS)), place)
    scene.do("take", thing, scene.fixture(place), scene.free_hand(rng.choice(["left", "right"])))


def _around_thing(scene: Scene, rng: Random, action: Action, hand: Hand) -> None:
    """Simulate an action with a thing; beside a brief action nothing longer happens."""
    verb, noun, reach = action
    colour = rng.choice(list(COLOURS))
    if verb in {"take", "put"}:
        place = rng.choice(_holders(scene, holds=reach))
        _open_before(scene, place)
        thing = scene.add(noun, colour, place if verb == "take" else hand)
        scene.do(verb, thing, scene.fixture(place), hand)
        if FIXTURES[place].opens and rng.random() < 0.5:
            scene.do("close", scene.fixture(place), None, scene.free_hand(hand))
        return
    if verb in {"cut", "stir"}:
        thing = scene.add(noun, colour, rng.choice(_holders(scene, opens=False)), full=True)
        tool = scene.add({"cut": "knife", "stir": "spoon"}[verb], rng.choice(list(COLOURS)), hand)
        scene.do(verb, thing, tool, hand)
        scene.do("put", tool, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)
        return
    place = rng.choice(_holders(scene, opens=False))
    fetched = rng.random() < 0.5
    thing = scene.add(noun, colour, place if fetched else hand, full=verb in {"pour", "drink"})
    if fetched:
        scene.do("take", thing, scene.fixture(place), hand)
    if verb == "pour":
        vessel = scene.add(rng.choice(["bowl", "pan"]), rng.choice(list(COLOURS)), place)
        scene.do("pour", thing, vessel, hand)
    else:
        scene.do(verb, thing, _other(scene, verb), "both" if verb == "fold" else hand)
    if verb != "throw" and not fetched:
        scene.do("put", thing, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)


def _other(scene: Scene, verb: str) -> str | None:
    """Id of the fixture that a verb needs."""
    if verb == "throw":
        return scene.fixture("bin")
    if verb in {"wash", "fill"}:
        return next(name for name, fixture in scene.fixtures.items() if FIXTURES[fixture.noun].water)
    return None


def _open_before(scene: Scene, place: str) -> None:
    if FIXTURES[place].opens:
        scene.set_fixture(place, "open", value=True)
