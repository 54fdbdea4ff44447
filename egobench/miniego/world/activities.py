"""Activities: simulated episodes after a plan, in families of siblings or of strangers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from egobench.miniego.world.chores import perform, prepare, switch
from egobench.miniego.world.episode import Episode, Split
from egobench.miniego.world.plans import GOALS, SIBLINGS, Plan, family
from egobench.miniego.world.scene import ImpossibleStepError, Scene
from egobench.miniego.world.streams import split_stream

SHORTEST: Final = 20.0
LONGEST: Final = 60.0
ATTEMPTS: Final = 1000


def activities(seed: int, split: Split, number: int, fps: float, *, alike: bool = False) -> list[Episode]:
    """Simulate five episodes with the same goal.

    Args:
        seed: The world's seed.
        split: Split of all of them.
        number: Number of the family; goals take turns. Numbers of its episodes begin at five times that.
        fps: Frames a second of their videos.
        alike: Whether they are siblings, see :mod:`egobench.miniego.world.plans`, or strangers.
    """
    goals = list(GOALS)
    split_stream(seed, split, "goals", number // len(goals)).shuffle(goals)
    goal = goals[number % len(goals)]
    rooms = split_stream(seed, split, "rooms", number).choice(goal.rooms)
    numbers = range(SIBLINGS * number, SIBLINGS * (number + 1))
    plans = partial(family, goal=goal, rooms=rooms, alike=alike)
    if alike:
        return _drawn(split_stream(seed, split, "family", number), plans, split, numbers, fps)
    alone = [range(episode, episode + 1) for episode in numbers]
    return [
        episode
        for part in alone
        for episode in _drawn(split_stream(seed, split, "stranger", part), plans, split, part, fps)
    ]


def _drawn(
    rng: Random, draw: Callable[[Random], list[Plan]], split: Split, numbers: range, fps: float
) -> list[Episode]:
    """First siblings of a family, drawn until all of them have the right length."""
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
