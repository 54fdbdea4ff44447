"""Walks past coloured doors, in groups of four whose next move differs."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from egobench.miniego.world.episode import Change, Episode, Fixture, Split, Thing
from egobench.miniego.world.streams import stream
from egobench.miniego.world.vocabulary import COLOURS, DOORWAYS, HALL

WALK_FPS: Final = 6.0
SHARES: Final = (0.28, 0.44, 0.49, 0.63, 0.77, 0.82, 0.97)
"""Shares of a walk when the wearer has arrived, looks to one side, turns from it, is back, the same for the other side.

Turns take several frames at ``WALK_FPS``, so that they tell left from right.
"""
MOVES: Final = {
    "left": "Turn left and move forward",
    "ahead": "Move forward",
    "near": "Stop",
    "right": "Turn right and move forward",
}
"""Next move, by where the door of the instruction is."""
NEAR: Final = 0.2
"""Distance below which the doorway ahead is near."""


def walks(seed: int, split: Split, groups: int, first: int) -> Iterator[Episode]:
    """Simulate walks in groups of four with one instruction, whose next move is another in each.

    Args:
        seed: The world's seed.
        split: Split of all of them.
        groups: Number of groups.
        first: Number of the first episode.
    """
    for group in range(groups):
        rng = stream(seed, split, "walks", group)
        colour = rng.choice(list(COLOURS))
        for offset, side in enumerate(rng.sample(list(MOVES), len(MOVES))):
            yield _walk(rng, colour, side, split, first + 4 * group + offset)


def whereabouts(episode: Episode, colour: str) -> str:
    """Where the door of a colour is at the end of a walk: ``left``, ``ahead``, ``near`` or ``right``."""
    door = next(thing.id for thing in episode.things if thing.colour == colour)
    end = episode.at(episode.seconds).state
    side = str(end[door]["place"]).rpartition("/")[2]
    return "near" if side == "ahead" and float(end["wearer"]["distance"]) < NEAR else side


def sought(episode: Episode) -> str:
    """Colour of the door that the instruction of a walk names."""
    return episode.facts["instruction"].split("the ")[1].split(" ")[0]


def instruction(colour: str) -> str:
    """Instruction of a walk to the door of a colour."""
    return f"Walk to the {colour} door and stop in front of it."


def _walk(rng: Random, colour: str, side: str, split: Split, number: int) -> Episode:
    """A walk whose sought door is left, ahead (far or near) or right."""
    # There are few different test walks: by chance some would be walks to train on, were those no finer and no farther.
    test = split == "test"
    seconds = round(rng.uniform(3.6, 5.0), 1 if test else 3)
    close = 0.06 if test else rng.uniform(0.07, 0.12)
    sought = "ahead" if side == "near" else side
    others = rng.sample([name for name in COLOURS if name != colour], 2)
    colours = {way: colour if way == sought else others.pop() for way in DOORWAYS}
    far = rng.uniform(0.45, 0.75) if side == "ahead" else rng.choice([rng.uniform(0.45, 0.75), close])
    distance = close if side == "near" else far
    fixtures = [Fixture(f"{HALL}/{way}", "doorway", HALL, azimuth) for way, azimuth in DOORWAYS.items()]
    things = [Thing(f"door-{way}", "door", colours[way]) for way in DOORWAYS]
    changes = [Change(0.0, thing.id, "place", fixture.id) for thing, fixture in zip(things, fixtures, strict=True)]
    changes += [Change(0.0, "wearer", "room", HALL), Change(0.0, "wearer", "facing", f"{HALL}/ahead")]
    arrival = round(seconds * SHARES[0], 2)
    changes += [Change(0.0, "wearer", "distance", 1.0), Change(arrival, "wearer", "distance", round(distance, 3))]
    looks = rng.sample([DOORWAYS["left"], DOORWAYS["right"]], 2)
    headings = (0.0, looks[0], looks[0], 0.0, looks[1], looks[1], 0.0)
    gaze = [(0.0, 0.0, 0.0)]
    gaze += [(round(seconds * share, 3), heading, 0.0) for share, heading in zip(SHARES, headings, strict=True)]
    return Episode(
        number, "walk", split, f"walk to the {colour} door", seconds, WALK_FPS, tuple(things), tuple(fixtures), (),
        tuple(changes), tuple(gaze), {"instruction": instruction(colour)},
    )  # fmt: skip
