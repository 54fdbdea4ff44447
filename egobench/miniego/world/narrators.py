"""Narrators: what two people say of an episode, at their own moments and in their own words."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from egobench.miniego.world.captions import third
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.streams import stream
from egobench.miniego.world.vocabulary import VERBS

JITTER: Final = (0.12, 0.35)
"""Standard deviation of each narrator's timestamps from the middle of the step, in seconds."""
SKIPPED: Final = (0.0, 0.08)
"""Share of the steps that each narrator passes over, in [0, 1]."""

_OTHER_WORDS: Final = {
    "takes": "picks up",
    "puts": "places",
    "throws": "drops",
    "opens": "pulls open",
    "closes": "shuts",
    "turns on": "switches on",
    "turns off": "switches off",
    "washes": "rinses",
    "fills": "fills up",
    "pours from": "tips out",
    "drinks from": "takes a sip from",
    "stirs": "mixes what is in",
    "cuts": "slices",
    "wipes": "cleans",
    "folds": "folds up",
    "shakes": "rattles",
    "reads": "looks into",
}
"""Words of the second narrator for those of the first."""


class Narration(NamedTuple):
    """Sentence of a narrator about a step.

    Attributes:
        time: Seconds from the start of the episode.
        words: The sentence without its subject.
        step: The step.
    """

    time: float
    words: str
    step: Step


def narrations(episode: Episode, narrator: int) -> list[Narration]:
    """Narrations of an episode by one narrator, in order of time.

    Args:
        episode: The episode.
        narrator: 0 for the narrator who uses the canonical words, 1 for the other.
    """
    rng = stream("narrator", episode.split, episode.number, narrator)
    spoken: list[Narration] = []
    for step in episode.steps:
        if rng.random() < SKIPPED[narrator]:
            continue
        time = (step.start + step.end) / 2 + rng.gauss(0.0, JITTER[narrator])
        time = round(min(max(time, 0.0), episode.seconds), 3)
        spoken.append(Narration(time, in_other_words(step, rng) if narrator else third(step), step))
    return sorted(spoken, key=lambda narration: narration.time)


def in_other_words(step: Step, rng: Random) -> str:
    """Caption of a step in the words of the second narrator, sometimes with the hand."""
    words = third(step)
    plain = VERBS[step.verb].third
    verb = plain if plain in _OTHER_WORDS else f"{plain} from"
    words = _OTHER_WORDS[verb] + words.removeprefix(verb)
    return words if rng.random() < 0.5 or step.hand == "both" else f"{words} with the {step.hand} hand"
