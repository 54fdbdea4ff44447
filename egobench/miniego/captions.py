"""How steps and things read: one canonical caption a step, and its other grammatical forms.

Two captions are never both true of one clip: a caption names the thing by its colour, the fixture it comes from or goes
to, and nothing that another wording could leave out.
"""

from __future__ import annotations

from collections.abc import Mapping

from egobench.miniego.episode import Episode, Step, Thing
from egobench.miniego.world import FIXTURES, VERBS

COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def phrase(thing: Thing) -> str:
    """A thing as captions name it, e.g. ``"the red cup"``."""
    return f"the {thing.colour} {thing.noun}"


def caption(verb: str, thing: str, other: str) -> str:
    """The canonical caption.

    Args:
        verb: One of ``world.VERBS``.
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
    """The caption in the third person, e.g. ``"takes the red cup from the fridge"``."""
    return VERBS[step.verb].third + step.text.removeprefix(step.verb)


def gerund(step: Step) -> str:
    """The caption as a gerund, e.g. ``"taking the red cup from the fridge"``."""
    return VERBS[step.verb].gerund + step.text.removeprefix(step.verb)


def telegram(step: Step) -> str:
    """The caption as EPIC-KITCHENS writes it, without articles, e.g. ``"take red cup from fridge"``."""
    return step.text.replace(" the ", " ")


def nouns(episode: Episode) -> Mapping[str, str]:
    """The noun of every thing and fixture of an episode, by id."""
    return {thing.id: thing.noun for thing in episode.things} | {place.id: place.noun for place in episode.fixtures}


def a(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
