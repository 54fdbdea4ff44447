"""Gestures: how each verb moves a hand, in the first-person view and, smaller, in the views of fixed cameras.

A motion runs while its step's progress goes from 0 to 1. Lengths are in widths of a hand; a positive sideways length
points away from the middle of the body.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Aim = Literal["slot", "handle", "switch", "tap", "surface", "body"]
Effect = Literal["", "press", "wash", "fill", "pour", "foam", "shake"]


@dataclass(frozen=True, slots=True)
class Motion:
    """Position and tilt of a hand at one moment of a step.

    Attributes:
        reach: How far it has gone from its rest to its aim, in [0, 1].
        aside: Sideways from there.
        down: Downwards from there.
        angle: Degrees that what it holds is tilted, positive towards the middle of the body.
        scale: How large what it holds is drawn.
    """

    reach: float
    aside: float = 0.0
    down: float = 0.0
    angle: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Gesture:
    """Hand motion and effects that show a verb.

    Attributes:
        aim: What the hand goes to: a thing's place, a part of a fixture, or in front of the body.
        motion: The motion by progress.
        effect: What else is drawn.
        pointing: With a stretched finger.
        lean: How much the head bends towards the aim: 0.4 makes it 1.4 times as large.
    """

    aim: Aim
    motion: Callable[[float], Motion]
    effect: Effect = ""
    pointing: bool = False
    lean: float = 0.0


def ease(share: float) -> float:
    """A smooth step from 0 to 1 over [0, 1], flat outside."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def stay(progress: float, ramp: float = 0.22) -> float:
    """A ramp from 0 to 1 within ``ramp``, a stay, and the same ramp back before the end."""
    return ease(min(progress, 1 - progress) / ramp)


def opening(progress: float) -> float:
    """How far a door is open while it is being opened, in [0, 1]; one that is closed goes the other way."""
    return ease((progress - 0.3) / 0.4)


def _wave(progress: float, times: float) -> float:
    return math.sin(2 * math.pi * times * progress)


def _exchange(progress: float) -> Motion:
    reach = math.sin(math.pi * progress)
    return Motion(reach, scale=1 - 0.38 * reach)


def _throw(progress: float) -> Motion:
    return Motion(0.6 * math.sin(math.pi * progress), 0.0, -0.7 * math.sin(math.pi * progress), 25 * _wave(progress, 1))


def _open(progress: float) -> Motion:
    return Motion(stay(progress, 0.3), 0.7 * opening(progress), 0.35)


def _close(progress: float) -> Motion:
    return Motion(stay(progress, 0.3), 0.7 * (1 - opening(progress)), 0.35)


def _turn(progress: float) -> Motion:
    return Motion(stay(progress, 0.35), 0.0, 0.5 - 0.08 * ease(1 - abs(progress - 0.5) / 0.15))


def _wash(progress: float) -> Motion:
    staying = stay(progress)
    return Motion(staying, 0.22 * staying * _wave(progress, 4), 1.2, 28 * staying * _wave(progress, 4))


def _fill(progress: float) -> Motion:
    return Motion(stay(progress), 0.0, 1.25)


def _pour(progress: float) -> Motion:
    staying = stay(progress)
    return Motion(staying, 0.9, -1.25, 84 * ease(staying * 1.4 - 0.4))


def _drink(progress: float) -> Motion:
    staying = stay(progress, 0.3)
    return Motion(staying, 0.25, -0.1 - 0.25 * ease(staying * 2 - 1), 70 * ease(staying * 2 - 1), 1 + 0.7 * staying)


def _stir(progress: float) -> Motion:
    staying = stay(progress)
    turns = 2 * math.pi * 4 * progress
    return Motion(staying, 0.85 + 0.22 * math.cos(turns), -0.85 + 0.13 * math.sin(turns), 125 * staying)


def _cut(progress: float) -> Motion:
    staying = stay(progress)
    chop = abs(math.sin(math.pi * 5 * progress))
    return Motion(staying, 0.85 + 0.2 * (0.5 - progress), -0.1 - 0.7 * chop, 95 * staying)


def _wipe(progress: float) -> Motion:
    return Motion(stay(progress), 1.1 * stay(progress) * _wave(progress, 3), 0.05)


def _fold(progress: float) -> Motion:
    staying = stay(progress)
    return Motion(staying, 0.95 - 0.65 * ease(progress / 0.6), 0.25, 0, 1 + 0.8 * staying)


def _shake(progress: float) -> Motion:
    staying = stay(progress, 0.15)
    return Motion(staying, 0.7, 0.1 + 0.55 * staying * _wave(progress, 3), 20 * staying * _wave(progress, 3), 1.15)


def _read(progress: float) -> Motion:
    staying = stay(progress)
    return Motion(staying, 0.45, 0.5, 0, 1 + 0.9 * staying)


GESTURES: Final[dict[str, Gesture]] = {
    "take": Gesture("slot", _exchange),
    "put": Gesture("slot", _exchange),
    "throw": Gesture("slot", _throw),
    "open": Gesture("handle", _open),
    "close": Gesture("handle", _close),
    "turn on": Gesture("switch", _turn, "press", pointing=True),
    "turn off": Gesture("switch", _turn, "press", pointing=True),
    "wash": Gesture("tap", _wash, "wash"),
    "fill": Gesture("tap", _fill, "fill"),
    "pour": Gesture("slot", _pour, "pour", lean=0.4),
    "drink": Gesture("body", _drink),
    "stir": Gesture("slot", _stir, lean=0.4),
    "cut": Gesture("slot", _cut, lean=0.5),
    "wipe": Gesture("surface", _wipe, "foam", lean=0.2),
    "fold": Gesture("body", _fold),
    "shake": Gesture("body", _shake, "shake"),
    "read": Gesture("body", _read),
}
"""Gesture of every verb of ``vocabulary.VERBS``."""
