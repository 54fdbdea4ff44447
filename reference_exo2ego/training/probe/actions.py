"""Actions of MiniEgo as named fields, read from captions of any wording."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from egobench.miniego.world.vocabulary import COLOURS, FIXTURES, HOLDERS, NOUNS, VERBS

IDLE: Final = "idle"
"""The verb of a moment at which nothing is done."""

THINGS: Final = (*NOUNS, *FIXTURES)

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "verb": (IDLE, *VERBS),
    "thing": THINGS,
    "colour": tuple(COLOURS),
    "other": THINGS,
    "other_colour": tuple(COLOURS),
    "hand": ("left", "right", "both"),
}
"""Fields of an action, and what each can be."""

NAMES_OTHER: Final = frozenset({"take", "put", "throw", "wash", "fill", "pour"})
"""Verbs whose captions always name a second thing."""

_MACHINE: Final = "washing machine"
_FORMS: Final = {
    form: name for name, verb in VERBS.items() for form in (name, verb.third, verb.past, verb.gerund, verb.participle)
}


def _any_of(words: tuple[str, ...]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_VERB: Final = re.compile(rf"\b({_any_of(tuple(_FORMS))})\b")
_THING: Final = re.compile(rf"(?:\b({_any_of(tuple(COLOURS))}) )?\b({_any_of(THINGS)})\b")
_HAND: Final = re.compile(r"\b(left|right|both)(?: of)?(?: my| your)? hands?\b")
_REACHES: Final = {"out of": "in", "into": "in", "off": "on", "onto": "on"}


class Action(NamedTuple):
    """An action as far as a caption tells: for each field the values it may have, empty where it says nothing.

    Attributes:
        verb: What is done.
        thing: What it is done to.
        colour: Colour of the thing.
        other: Where the thing comes from or goes to.
        other_colour: Colour of that.
        hand: Which hand does it.
    """

    verb: tuple[str, ...] = ()
    thing: tuple[str, ...] = ()
    colour: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    other_colour: tuple[str, ...] = ()
    hand: tuple[str, ...] = ()


def read_action(caption: str) -> Action | None:
    """Read the action of a caption in any grammatical form; ``None`` where it has no verb of MiniEgo.

    Args:
        caption: E.g. ``"C takes the red cup from the fridge"``, ``"put red cup on table"``, ``"Opening a chest"``.
    """
    text = caption.lower()
    verb = _VERB.search(text.replace(_MACHINE, "-" * len(_MACHINE)))
    if verb is None:
        return None
    hand = _HAND.search(text)
    action = _with_things(Action(verb=(_FORMS[verb[1]],)), text)
    return action._replace(hand=(hand[1],) if hand else ())


def read_things(text: str) -> Action:
    """Read the things that a text names, e.g. ``"the red cup"``, in their order, without a verb."""
    return _with_things(Action(), text.lower())


def _with_things(action: Action, text: str) -> Action:
    named = list(_THING.finditer(text))
    if named:
        action = action._replace(thing=(named[0][2],), colour=(named[0][1],) if named[0][1] else ())
    names_other = not action.verb or action.verb[0] in NAMES_OTHER
    if len(named) > 1 and names_other:
        action = action._replace(other=(named[1][2],), other_colour=(named[1][1],) if named[1][1] else ())
    reach = re.search(rf"\b({'|'.join(_REACHES)}) something\b", text)
    if reach and action.verb and action.verb[0] in {"take", "put"}:
        holds = _REACHES[reach[1]]
        action = action._replace(other=tuple(noun for noun in HOLDERS if FIXTURES[noun].holds == holds))
    return action
