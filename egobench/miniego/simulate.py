"""Simulated episodes: activities after a plan, short ones around one action, and walks past coloured doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final

from egobench.miniego.chores import perform, prepare, switch
from egobench.miniego.episode import Change, Episode, Fixture, Split, Thing
from egobench.miniego.plans import GOALS, SIBLINGS, Plan, family
from egobench.miniego.scene import ImpossibleStepError, Scene
from egobench.miniego.world import COLOURS, DOORWAYS, HALL

SHORTEST: Final = 20.0
LONGEST: Final = 60.0
ATTEMPTS: Final = 1000
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
"""What is to be done next, by where the door of the instruction is."""


def stream(*key: object) -> Random:
    """A random stream of its own for everything that is simulated, so that nothing depends on what came before."""
    return Random("/".join(str(part) for part in key))  # noqa: S311 - reproducible, not secret


def activities(seed: int, split: Split, number: int, fps: float, *, alike: bool) -> list[Episode]:
    """Five episodes with the same goal.

    Args:
        seed: The world's seed.
        split: The split all of them are in.
        number: Number of the family in the world; goals take turns. Its episodes have numbers from five times that.
        fps: Frames a second of their videos.
        alike: Whether they are siblings, see :mod:`egobench.miniego.plans`, or strangers.
    """
    goals = list(GOALS)
    stream(seed, "goals", number // len(goals)).shuffle(goals)
    goal = goals[number % len(goals)]
    rooms = stream(seed, "rooms", number).choice(goal.rooms)
    numbers = range(SIBLINGS * number, SIBLINGS * (number + 1))
    plans = partial(family, goal=goal, rooms=rooms, alike=alike)
    if alike:
        return _drawn(stream(seed, "family", number), plans, split, numbers, fps)
    parts = [range(place, place + 1) for place in numbers]
    return [each for part in parts for each in _drawn(stream(seed, "stranger", part), plans, split, part, fps)]


def _drawn(
    rng: Random, draw: Callable[[Random], list[Plan]], split: Split, numbers: range, fps: float
) -> list[Episode]:
    """The first siblings of a family, drawn until all of them have the right length."""
    for _ in range(ATTEMPTS):
        plans = draw(rng)
        episodes = [_activity(rng, plan, split, number, fps) for plan, number in zip(plans, numbers, strict=False)]
        if all(SHORTEST <= episode.seconds <= LONGEST for episode in episodes):
            return episodes
    raise ImpossibleStepError(f"episodes {numbers}: no plan of the right length in {ATTEMPTS} attempts")


def _activity(rng: Random, plan: Plan, split: Split, number: int, fps: float) -> Episode:
    scene = Scene(plan.rooms, rng)
    for chore in plan.chores:
        prepare(scene, chore)
    for noun, colour, fixture in plan.bystanders:
        scene.add(noun, colour, fixture)
    if plan.final:
        scene.set_fixture(plan.final, "on", value=plan.on)
    for chore in plan.chores:
        perform(scene, chore)
    if plan.final:
        switch(scene, plan.final, rng.choice(["left", "right"]))
    return scene.finish(number, "activity", split, plan.goal.text, fps, {})


def walks(seed: int, split: Split, groups: int, first: int) -> Iterator[Episode]:
    """Walks in groups of four with one instruction, whose next move is another in each.

    Args:
        seed: The world's seed.
        split: The split all of them are in.
        groups: Number of groups.
        first: Number of the first episode.
    """
    for group in range(groups):
        rng = stream(seed, split, "walks", group)
        colour = rng.choice(list(COLOURS))
        for offset, side in enumerate(rng.sample(list(MOVES), len(MOVES))):
            yield _walk(rng, colour, side, split, first + 4 * group + offset)


def _walk(rng: Random, colour: str, side: str, split: Split, number: int) -> Episode:
    """A walk whose sought door is left, ahead (far or near) or right."""
    seconds = round(rng.uniform(3.6, 5.0), 1)
    sought = "ahead" if side == "near" else side
    others = rng.sample([name for name in COLOURS if name != colour], 2)
    colours = {way: colour if way == sought else others.pop() for way in DOORWAYS}
    far = rng.uniform(0.45, 0.75) if side == "ahead" else rng.choice([rng.uniform(0.45, 0.75), 0.06])
    distance = 0.06 if side == "near" else far
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
        tuple(changes), tuple(gaze), {"instruction": f"Walk to the {colour} door and stop in front of it."},
    )  # fmt: skip
