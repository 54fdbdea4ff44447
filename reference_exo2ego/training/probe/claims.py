"""What an option of a question claims about the facts of a clip, and how likely that is.

The questions are those of MiniEgo (:mod:`egobench.miniego.official`), recognised by their words alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from egobench.miniego.world.captions import COUNTS
from egobench.miniego.world.walks import MOVES

from .actions import Action, read_action, read_things
from .evidence import DOOR_COLOURS, GOAL_SENTENCES, LEAST, PLACES, Evidence, Fields, action_log_probability

SHOWS_IT: Final = 0.5
"""An event shows an action if it is at least this times as likely to do so as the likeliest event."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The clip shows an action."""

    action: Action


@dataclass(frozen=True, slots=True)
class Following:
    """An action comes after the clip."""

    action: Action


@dataclass(frozen=True, slots=True)
class GoalIs:
    """The goal of all actions of the clip is that of a sentence."""

    sentence: str


@dataclass(frozen=True, slots=True)
class DoorIs:
    """At the end of the clip, the door of a colour is at one of some places."""

    colour: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """An action is done so many times."""

    action: Action
    count: int


@dataclass(frozen=True, slots=True)
class Happens:
    """Actions happen one after the other.

    Attributes:
        actions: The actions.
        adjacent: Whether nothing happens between them.
        among: Actions among which the first of them is; ``None`` for all.
        edge: Whether it is any of those actions, the first, or the last of the clip.
        denied: Whether the claim is that this does not happen.
    """

    actions: tuple[Action, ...]
    adjacent: bool = False
    among: Action | None = None
    edge: Literal["any", "first", "last"] = "any"
    denied: bool = False


Claim = Shown | Following | GoalIs | DoorIs | Times | Happens


def claim_of(question: str, option: str) -> Claim | None:
    """Read what an option claims as the answer to a question; ``None`` where no form fits question or option."""
    for form, make in _FORMS:
        match = form.search(question.strip().lower())
        if match:
            try:
                return make(match, option.strip().lower().removesuffix("."))
            except (LookupError, ValueError):
                return None
    return None


def claim_log_probability(claim: Claim, evidence: Evidence) -> float:
    """Return the natural logarithm of a claim's probability; for counts the negated distance to the expected count."""
    match claim:
        case Shown(action):
            return action_log_probability(evidence.whole, action)
        case Following(action):
            return action_log_probability(evidence.following, action)
        case GoalIs(sentence):
            return _log(float(evidence.goal[GOAL_SENTENCES.index(sentence)]))
        case DoorIs(colour, places):
            by_place = evidence.doors[DOOR_COLOURS.index(colour)]
            return _log(sum(float(by_place[PLACES.index(place)]) for place in places))
        case Times(action, count):
            expected = sum(math.exp(action_log_probability(event, action)) for event in evidence.events)
            return -abs(expected - count)
        case Happens():
            best = _best_sequence(claim, evidence.events)
            return _log(1 - math.exp(best)) if claim.denied else best


def _log(probability: float) -> float:
    return math.log(max(LEAST, probability))


def _best_sequence(claim: Happens, events: Sequence[Fields]) -> float:
    """Return the mean log-probability of the actions at the events that fit them best, in the same order."""
    least = math.log(LEAST)
    fits = [[action_log_probability(event, action) for event in events] for action in claim.actions]
    allowed = _allowed(claim, events)
    reached = [fit if number in allowed else -math.inf for number, fit in enumerate(fits[0])]
    for fit in fits[1:]:
        before = [-math.inf, *reached[:-1]]
        if not claim.adjacent:
            for number in range(1, len(before)):
                before[number] = max(before[number], before[number - 1])
        reached = [earlier + now for earlier, now in zip(before, fit, strict=True)]
    return max(least, max(reached, default=-math.inf) / len(claim.actions))


def _allowed(claim: Happens, events: Sequence[Fields]) -> set[int]:
    """Return the numbers of the events that the first action may be."""
    if claim.among is None or not events:
        return set(range(len(events)))
    fits = [action_log_probability(event, claim.among) for event in events]
    fitting = [number for number, fit in enumerate(fits) if fit >= max(fits) + math.log(SHOWS_IT)]
    return {"any": set(fitting), "first": {fitting[0]}, "last": {fitting[-1]}}[claim.edge]


def _action(text: str) -> Action:
    return read_action(text) or read_things(text)


def _happens(*texts: str, adjacent: bool = False) -> Happens:
    return Happens(tuple(map(_action, texts)), adjacent=adjacent)


def _yes_or_no(option: str, claim: Happens) -> Happens:
    return replace(claim, denied=option == "no")


def _course(option: str) -> Happens:
    """Read the course of a thing, ``"C takes the red cup from the fridge, washes it in the sink and puts it ..."``."""
    clauses = re.split(r", | and ", option)
    thing = read_things(clauses[0])
    actions = [_action(clauses[0])]
    for clause in clauses[1:]:
        named = _action(clause)
        where = (named.thing, named.colour)
        actions.append(named._replace(thing=thing.thing, colour=thing.colour, other=where[0], other_colour=where[1]))
    return Happens(tuple(actions), among=Action(verb=("take",)), edge="first")


def _moved(option: str) -> Happens:
    thing, begin, end = re.split(r" went from | to ", option)
    put = _action(f"put {thing} in {end}")._replace(verb=("put", "throw"))
    return Happens((_action(f"take {thing} from {begin}"), put))


def _in_order(option: str, first: str, second: str) -> Happens:
    earlier, later = (first, second) if option == "yes" else (second, first)
    return _happens(f"take the {earlier}", f"take the {later}")


def _put_there(option: str, thing: str, place: str) -> Happens:
    where = Action(other=read_things(place).thing)
    return _yes_or_no(option, Happens((where,), among=_action(f"put {thing}")))


def _open_at_end(option: str, fixture: str) -> Happens:
    thing = read_things(fixture).thing
    either = Action(verb=("open", "close"), thing=thing)
    verb = "open" if option == "yes" else "close"
    return Happens((Action(verb=(verb,)),), among=either, edge="last")


def _door(colour: str, places: tuple[str, ...]) -> DoorIs:
    return DoorIs(DOOR_COLOURS[DOOR_COLOURS.index(colour)], places)


def _edge(name: str, option: str, among: Action) -> Happens:
    return Happens((_action(option),), among=among, edge="first" if name == "first" else "last")


_DOOR_PLACES: Final = {
    **{move.lower(): (place,) for place, move in MOVES.items()},
    "to the left": ("left",),
    "to the right": ("right",),
    "straight ahead": ("ahead", "near"),
    "straight ahead, far away": ("ahead",),
    "straight ahead, close by": ("near",),
}
_STATES: Final = {"folded": "fold", "cut": "cut", "full": "fill"}
_GOALS: Final = {sentence.lower().removesuffix("."): sentence for sentence in GOAL_SENTENCES}
_TAKE: Final = Action(verb=("take",))
_SOMETHING_DONE: Final = Action()

_Maker = Callable[[re.Match[str], str], Claim]
_TABLE: Final[tuple[tuple[str, _Maker], ...]] = (
    (r"^(what action am i|what am i doing|which caption|which description)", lambda _, o: Shown(_action(o))),
    (r"^(considering the progress|what will the person do next)", lambda _, o: Following(_action(o))),
    (r"walk to the (\w+) door", lambda m, o: _door(m[1], _DOOR_PLACES[o])),
    (r"^where is the (\w+) door at the end", lambda m, o: _door(m[1], _DOOR_PLACES[o])),
    (r"which door is (.+)\?", lambda m, o: _door(o.split()[1], _DOOR_PLACES[m[1]])),
    (r"overall goal", lambda _, o: GoalIs(_GOALS[o])),
    (r"in which order does c pick", lambda _, o: _happens(*(f"take {each}" for each in o.split(", then ")))),
    (r"^what becomes of the thing", lambda _, o: _course(o)),
    (r"what has changed its place", lambda _, o: _moved(o)),
    (r"^what colour is the (.+) i put (.+)\?", lambda m, o: _happens(f"put the {o} {m[1]} {m[2]}")),
    (r"^where did i put (.+)\?", lambda m, o: _happens(f"put {m[1]} {o}")),
    (r"^where was (.+) before i took it", lambda m, o: _happens(f"take {m[1]} {o}")),
    (r"^how many times did i (.+)\?", lambda m, o: Times(_action(m[1]), COUNTS.index(o))),
    (r"^which hand did i use to take (.+), and", lambda m, o: _happens(f"take {m[1]} with {o}")),
    (r"^what did i put (.+)\?", lambda m, o: _happens(f"put {o} {m[1]}")),
    (r"^what did i take (first|last)", lambda m, o: _edge(m[1], f"take {o}", _TAKE)),
    (r"^what did i (\w+)", lambda m, o: _happens(f"{m[1]} {o}")),
    (r"^which object does the person (\w+)", lambda m, o: _happens(f"{m[1]} {o}")),
    (r"^which object becomes (\w+)", lambda m, o: _happens(f"{_STATES[m[1]]} {o}")),
    (r"^what is the (first|last) action", lambda m, o: _edge(m[1], o, _SOMETHING_DONE)),
    (r"^where is (.+) at the end", lambda m, o: _edge("last", f"put {m[1]} {o}", _action(f"put {m[1]}"))),
    (r"^is the (.+) open at the end", lambda m, o: _open_at_end(o, m[1])),
    (r"^does the person put (.+) ((?:in|on) .+)\?", lambda m, o: _put_there(o, m[1], m[2])),
    (r"^does the person take the (.+) before taking the (.+)\?", lambda m, o: _in_order(o, m[1], m[2])),
    (r"right after (.+)\?", lambda m, o: _happens(m[1], o, adjacent=True)),
    (r"right before (.+)\?", lambda m, o: _happens(o, m[1], adjacent=True)),
    (r"^for which action does the person (open .+)\?", lambda m, o: _happens(m[1], o, adjacent=True)),
    (r"^where does the person put the object that is (\w+)", lambda m, o: _happens(m[1], f"put {o}")),
)
_FORMS: Final = tuple((re.compile(form), make) for form, make in _TABLE)
