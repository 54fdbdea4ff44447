"""Captions: the canonical sentence of a step, its other grammatical forms, and phrases for things.

Two captions are never both true of one clip: a caption names the thing by its colour, the fixture it comes from or goes
to, and nothing that another wording could leave out.
"""

from __future__ import annotations

from collections.abc import Mapping

from egobench.miniego.world.episode import Episode, Step, Thing
from egobench.miniego.world.vocabulary import FIXTURES, VERBS

COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def phrase(thing: Thing) -> str:
    """Phrase for a thing, e.g. ``"the red cup"``."""
    return f"the {thing.colour} {thing.noun}"


def caption(verb: str, thing: str, other: str) -> str:
    """Canonical caption of a step.

    Args:
        verb: One of ``vocabulary.VERBS``.
        thing: The phrase of what it is done to, e.g. ``"the red cup"``.
        other: The noun of the fixture, or the phrase of the vessel poured into; unused where the verb needs none.

    Returns:
        An imperative clause that begins with the verb, e.g. ``"take the red cup from the fridge"``.
    """
    tails = {
        "take": f" from the {other}",
        "throw": f" into the {other}",
        "wash": f" in the {other}",
        "fill": f" at the {other}",
        "pour": f" into {other}",
    }
    tail = f" {FIXTURES[other].holds} the {other}" if verb == "put" else tails.get(verb, "")
    between = " from" if verb in {"pour", "drink"} else " on" if verb == "read" and thing.endswith(" phone") else ""
    return f"{verb}{between} {thing}{tail}"


def third(step: Step) -> str:
    """Caption in the third person, e.g. ``"takes the red cup from the fridge"``."""
    return VERBS[step.verb].third + step.text.removeprefix(step.verb)


def gerund(step: Step) -> str:
    """Caption as a gerund, e.g. ``"taking the red cup from the fridge"``."""
    return VERBS[step.verb].gerund + step.text.removeprefix(step.verb)


def telegram(step: Step) -> str:
    """Caption without articles, as EPIC-KITCHENS writes it, e.g. ``"take red cup from fridge"``."""
    return step.text.replace(" the ", " ")


def nouns(episode: Episode) -> Mapping[str, str]:
    """Nouns of the things and fixtures of an episode, by id."""
    return {thing.id: thing.noun for thing in episode.things} | {place.id: place.noun for place in episode.fixtures}


def a(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
