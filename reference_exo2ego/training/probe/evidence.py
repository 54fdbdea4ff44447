"""Evidence: probabilities of the facts that are recognised in a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log
from typing import Final

import numpy as np

from egobench.miniego.world.plans import GOALS
from egobench.miniego.world.vocabulary import COLOURS

from .actions import FIELDS, IDLE, Action

PLACES: Final = ("left", "ahead", "near", "right", "absent")
"""Where a door of a colour is at the end of a walk."""

GOAL_SENTENCES: Final = tuple(goal.third for goal in GOALS)
DOOR_COLOURS: Final = tuple(COLOURS)

LEAST: Final = 1e-6
"""The least probability that anything counts with: a single mistake does not rule a claim out."""

Fields = Mapping[str, np.ndarray]
"""Of each field of an action the probability of each value."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Probabilities of the facts of a clip.

    Attributes:
        whole: The action of a clip that shows a single one.
        events: The actions of a long clip, in order.
        following: The action that comes after the clip.
        goal: Probability of each of :data:`GOAL_SENTENCES`.
        doors: Probability of each of :data:`PLACES` for each of :data:`DOOR_COLOURS`, ``(colours, places)``.
    """

    whole: Fields
    events: Sequence[Fields]
    following: Fields
    goal: np.ndarray
    doors: np.ndarray


def action_log_probability(fields: Fields, action: Action) -> float:
    """Return the natural logarithm of the probability that all fields of an action are right, if independent."""
    total = 0.0
    for name, values in action._asdict().items():
        if values:
            total += log(max(LEAST, sum(float(fields[name][FIELDS[name].index(value)]) for value in values)))
    return total


def join_moments(moments: Fields) -> list[Fields]:
    """Join moments into actions: neighbours with the same likeliest verb and thing are one action.

    Args:
        moments: Of each field the probabilities at each moment, ``(moments, values)``.

    Returns:
        Of each action the mean over its moments; moments at which nothing is done are left out.
    """
    verbs, things = (moments[name].argmax(axis=1) for name in ("verb", "thing"))
    idle = FIELDS["verb"].index(IDLE)
    joined: list[Fields] = []
    for (verb, _), group in groupby(range(len(verbs)), key=lambda moment: (verbs[moment], things[moment])):
        numbers = list(group)
        if verb != idle:
            joined.append({name: values[numbers].mean(axis=0) for name, values in moments.items()})
    return joined
