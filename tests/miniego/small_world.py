"""Episodes made by hand, for the tests of the renderer: one kitchen or hall, few things, one step."""

from __future__ import annotations

from typing import Literal

from egobench.miniego.world.episode import Change, Episode, Fixture, Hand, Step, Thing
from egobench.miniego.world.vocabulary import DOORWAYS, FIXTURES, HALL, NOUNS

Value = str | bool | float


def kitchen(
    *things: tuple[str, str, str],
    facing: str = "counter",
    step: tuple[str, str, str | None] | None = None,
    hand: Hand = "right",
    room: str = "kitchen",
    states: dict[str, dict[str, Value]] | None = None,
    number: int = 7,
) -> Episode:
    """Four seconds in one room, with a step from second 1 to second 3 that changes nothing.

    Args:
        things: Noun, colour and place (the noun of a fixture, or a hand); the ids are ``noun-1``, ``noun-2``, ...
        facing: Noun of the fixture in front of the wearer.
        step: Verb, thing and other.
        hand: The step's hand.
        room: The wearer's room.
        states: States that differ from the usual ones, by id.
        number: The episode's number.
    """
    nouns = [noun for noun, kind in FIXTURES.items() if kind.room == room]
    fixtures = tuple(Fixture(f"{room}/{noun}", noun, room, 360 * slot / len(nouns)) for slot, noun in enumerate(nouns))
    made: list[Thing] = []
    changes = [Change(0, "wearer", "room", room), Change(0, "wearer", "facing", f"{room}/{facing}")]
    for fixture in fixtures:
        kind = FIXTURES[fixture.noun]
        changes += [Change(0, fixture.id, "open", value=False)] if kind.opens else []
        changes += [Change(0, fixture.id, "on", value=False)] if kind.switch else []
        changes += [Change(0, fixture.id, "clean", value=True)] if kind.wiped else []
    for noun, colour, place in things:
        thing = Thing(f"{noun}-{1 + sum(other.noun == noun for other in made)}", noun, colour)
        made.append(thing)
        changes.append(Change(0, thing.id, "place", place if place in {"left", "right"} else f"{room}/{place}"))
        changes += [Change(0, thing.id, key, key == "clean") for key, _ in NOUNS[noun].states]
    changes += [Change(0, name, key, value) for name, values in (states or {}).items() for key, value in values.items()]
    steps = (Step(1, 3, step[0], step[1], step[2], hand, room, ""),) if step else ()
    azimuth = next(fixture.azimuth for fixture in fixtures if fixture.noun == facing)
    return Episode(
        number, "activity", "test", "", 4, 10, tuple(made), fixtures, steps, tuple(changes), ((0, azimuth, -7),)
    )  # fmt: skip


def hall(
    left: str = "red", ahead: str = "green", right: str = "blue", *, look: Literal["left", "ahead", "right"] = "ahead",
    distance: float = 0.5,
) -> Episode:  # fmt: skip
    """Two seconds in the hall, standing still with the head turned to one doorway."""
    colours = {"left": left, "ahead": ahead, "right": right}
    changes = [Change(0, f"door-{way}", "place", f"{HALL}/{way}") for way in DOORWAYS]
    changes += [Change(0, "wearer", "room", HALL), Change(0, "wearer", "facing", f"{HALL}/ahead")]
    return Episode(
        8, "walk", "test", "", 2, 6,
        tuple(Thing(f"door-{way}", "door", colour) for way, colour in colours.items()),
        tuple(Fixture(f"{HALL}/{way}", "doorway", HALL, azimuth) for way, azimuth in DOORWAYS.items()),
        (), (*changes, Change(0, "wearer", "distance", distance)), ((0, DOORWAYS[look], 0),),
    )  # fmt: skip
