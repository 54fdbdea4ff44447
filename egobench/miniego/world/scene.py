"""The scene under simulation: it refuses impossible steps and records the steps and changes that happen.

Nothing is in two places, a hand holds one thing, what lies behind a door is out of reach until the door is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from egobench.errors import EgoBenchError
from egobench.miniego.world.captions import caption, phrase
from egobench.miniego.world.episode import Change, Episode, Fixture, Hand, Kind, Split, Step, Thing
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, VERBS

Value = str | bool | float

NEAR: Final = (0.25, 0.4)
"""Seconds between two steps at one fixture, shortest and longest."""
TURN: Final = (0.5, 0.75)
"""Seconds to turn to another fixture of the room."""
WALK: Final = (1.0, 1.3)
"""Seconds to walk to another room."""
ARRIVED: Final = 0.85
"""Share of a turn or walk after which the head is still."""


class ImpossibleStepError(EgoBenchError):
    """A step whose preconditions do not hold: a mistake of the planner."""


class Scene:
    """Rooms with fixtures and things, and a wearer who acts in them.

    Attributes:
        rng: The source of every duration.
        state: Present value by key by subject.
        time: Seconds since the beginning.
        steps: Steps so far.
    """

    def __init__(self, rooms: Sequence[str], rng: Random, wait: float = 0.8) -> None:
        """Furnish the rooms, in a fresh order.

        Args:
            rooms: Rooms of ``vocabulary.ROOMS``; the wearer starts in the first.
            rng: The source of the order and of every duration.
            wait: Seconds before the first step.
        """
        self.rng = rng
        self.time = wait
        self.state: dict[str, dict[str, Value]] = {}
        self.steps: list[Step] = []
        self.things: dict[str, Thing] = {}
        self.fixtures: dict[str, Fixture] = {}
        self._changes: list[Change] = []
        for room in rooms:
            nouns = [noun for noun, kind in FIXTURES.items() if kind.room == room]
            rng.shuffle(nouns)
            for slot, noun in enumerate(nouns):
                self._place_fixture(noun, room, round(360 * slot / len(nouns), 1))
        first = rng.choice([fixture for fixture in self.fixtures.values() if fixture.room == rooms[0]])
        self._set(0.0, "wearer", "room", rooms[0])
        self._set(0.0, "wearer", "facing", first.id)
        self._gaze = [(0.0, first.azimuth, self._pitch(first))]

    def fixture(self, noun: str) -> str:
        """The id of a fixture by its noun."""
        return f"{FIXTURES[noun].room}/{noun}"

    def add(self, noun: str, colour: str, place: str, **states: bool) -> str:
        """Add a thing to the scene, before anything happens.

        Args:
            noun: One of ``vocabulary.NOUNS``.
            colour: One of ``vocabulary.COLOURS``.
            place: The noun of a fixture, or a hand.
            states: States that differ from the usual ones.

        Returns:
            The thing's id.
        """
        number = 1 + sum(thing.noun == noun for thing in self.things.values())
        thing = Thing(f"{noun}-{number}", noun, colour)
        if any((other.noun, other.colour) == (noun, colour) for other in self.things.values()):
            raise ImpossibleStepError(f"a second {colour} {noun}: captions could not tell the two apart")
        self.things[thing.id] = thing
        self._set(0.0, thing.id, "place", place if place in {"left", "right"} else self.fixture(place))
        for key, value in NOUNS[noun].states:
            self._set(0.0, thing.id, key, states.get(key, value))
        return thing.id

    def set_fixture(self, noun: str, key: str, *, value: bool) -> None:
        """Set a state that a fixture has at the start."""
        self._set(0.0, self.fixture(noun), key, value)

    def in_hand(self, hand: Hand) -> str | None:
        """Id of the thing in a hand, ``None`` for an empty hand."""
        return next((name for name in self.things if self.state[name]["place"] == hand), None)

    def free_hand(self, preferred: Hand) -> Hand:
        """The preferred hand if it is empty, else the other.

        Raises:
            ImpossibleStepError: If both are full.
        """
        for hand in (preferred, "right" if preferred == "left" else "left"):
            if self.in_hand(hand) is None:
                return hand
        raise ImpossibleStepError(f"at {self.time:.2f} s both hands are full")

    def do(self, verb: str, thing: str, other: str | None, hand: Hand) -> None:
        """Simulate a step, after turning or walking to where it happens.

        Args:
            verb: One of ``vocabulary.VERBS``.
            thing: Id of the thing or fixture it is done to.
            other: Id of the tool, target or source; ``None`` when the verb needs none.
            hand: The hand or hands that do it.

        Raises:
            ImpossibleStepError: If a precondition does not hold.
        """
        problem = self._problem(verb, thing, other, hand)
        if problem:
            raise ImpossibleStepError(f"{verb} {thing} {other or ''} with {hand} at {self.time:.2f} s: {problem}")
        self._go(self._fixture_of(verb, thing, other))
        kind = VERBS[verb]
        start = round(self.time, 2)
        end = round(start + self.rng.uniform(*kind.seconds), 2)
        text = caption(verb, self._words(thing), self._words(other, article=False) if other else "")
        room = str(self.state["wearer"]["room"])
        self.steps.append(Step(start, end, verb, thing, other, hand, room, text))
        moment = round(start + (end - start) * kind.moment, 3)
        for subject, key, value in self._effects(verb, thing, other, hand):
            self._set(moment, subject, key, value)
        self.time = end

    def finish(self, number: int, kind: Kind, split: Split, goal: str, fps: float, facts: Mapping[str, str]) -> Episode:
        """Finished episode, which ends a moment after the last step."""
        seconds = round(self.time + (0.9 if kind == "activity" else 0.4), 2)
        return Episode(
            number, kind, split, goal, seconds, fps,
            tuple(self.things.values()), tuple(self.fixtures.values()), tuple(self.steps),
            tuple(sorted(self._changes, key=lambda change: change.time)), tuple(self._gaze), facts,
        )  # fmt: skip

    def _place_fixture(self, noun: str, room: str, azimuth: float) -> None:
        fixture = Fixture(f"{room}/{noun}", noun, room, azimuth)
        self.fixtures[fixture.id] = fixture
        kind = FIXTURES[noun]
        for key, present, value in (
            ("open", kind.opens, False),
            ("on", kind.switch, False),
            ("clean", kind.wiped, False),
        ):
            if present:
                self._set(0.0, fixture.id, key, value)

    def _set(self, time: float, subject: str, key: str, value: Value) -> None:
        self.state.setdefault(subject, {})[key] = value
        if time == 0.0:
            self._changes = [change for change in self._changes if (change.subject, change.key) != (subject, key)]
        self._changes.append(Change(time, subject, key, value))

    def _words(self, name: str, *, article: bool = True) -> str:
        if name in self.things:
            return phrase(self.things[name])
        noun = self.fixtures[name].noun
        return f"the {noun}" if article else noun

    def _fixture_of(self, verb: str, thing: str, other: str | None) -> str:
        """The fixture a step happens at."""
        if verb in {"drink", "fold", "shake", "read"}:
            return str(self.state["wearer"]["facing"])
        if verb == "pour" and other:
            return str(self.state[other]["place"])
        if verb in {"stir", "cut"}:
            return str(self.state[thing]["place"])
        return thing if thing in self.fixtures else str(other)

    def _go(self, place: str) -> None:
        """Simulate turning or walking to a fixture."""
        target = self.fixtures[place]
        here = self.state["wearer"]
        if here["facing"] == place:
            self.time = round(self.time + self.rng.uniform(*NEAR), 2)
            return
        walks = here["room"] != target.room
        seconds = self.rng.uniform(*(WALK if walks else TURN))
        begin, arrival = self.time, round(self.time + ARRIVED * seconds, 3)
        _, azimuth, pitch = self._gaze[-1]
        if self._gaze[-1][0] < begin:
            self._gaze.append((begin, azimuth, pitch))
        if walks:
            self._set(round(begin + seconds / 2, 3), "wearer", "room", target.room)
        self._gaze.append((arrival, target.azimuth, self._pitch(target)))
        self._set(arrival, "wearer", "facing", place)
        self.time = round(begin + seconds, 2)

    def _pitch(self, fixture: Fixture) -> float:
        return -7.0 if FIXTURES[fixture.noun].holds == "on" or FIXTURES[fixture.noun].water else -1.0

    def _problem(self, verb: str, thing: str, other: str | None, hand: Hand) -> str:
        """Reason why a step cannot happen, ``""`` if it can."""
        if thing in self.fixtures:
            return self._fixture_problem(verb, thing, other, hand)
        if verb not in {"take", "put"} and verb not in NOUNS[self.things[thing].noun].verbs:
            return f"no {self.things[thing].noun} is done that to"
        place = self.state[thing]["place"]
        if verb == "take":
            there = place == other and self.in_hand(hand) is None
            return self._unreachable(other, "in") if there else "it is not there, or the hand is full"
        if verb in {"stir", "cut"}:
            ready = other is not None and self.state[other]["place"] == hand and place in self.fixtures
            return "" if ready else "the tool is not in that hand, or the thing stands nowhere"
        return self._held_problem(verb, thing, other, hand)

    def _held_problem(self, verb: str, thing: str, other: str | None, hand: Hand) -> str:
        """Reason why a step with a thing in hand cannot happen, ``""`` if it can."""
        if self.state[thing]["place"] not in ({"left", "right"} if hand == "both" else {hand}):
            return "it is not in that hand"
        if hand == "both" and not all(self.in_hand(side) in {None, thing} for side in ("left", "right")):
            return "the other hand is full"
        if verb in {"put", "throw", "wash", "fill"}:
            return self._unreachable(other, FIXTURES[self.fixtures[str(other)].noun].holds or verb)
        return "it is empty" if verb in {"pour", "drink"} and not self.state[thing]["full"] else ""

    def _fixture_problem(self, verb: str, thing: str, other: str | None, hand: Hand) -> str:
        state, kind = self.state[thing], FIXTURES[self.fixtures[thing].noun]
        if verb == "wipe":
            return "" if kind.wiped and other and self.state[other]["place"] == hand else "no sponge in that hand"
        possible = {
            "open": kind.opens and not state["open"] and not state.get("on"),
            "close": kind.opens and state["open"],
            "turn on": kind.switch and not state["on"] and not state.get("open"),
            "turn off": kind.switch and state["on"],
        }
        if self.in_hand(hand) is not None:
            return "the hand is full"
        return "" if possible[verb] else "it is that already, or cannot be"

    def _unreachable(self, place: str | None, holds: str) -> str:
        if place is None or not holds:
            return "nothing can be there"
        return "" if self.state.get(place, {}).get("open", True) else "it is closed"

    def _effects(self, verb: str, thing: str, other: str | None, hand: Hand) -> list[tuple[str, str, Value]]:
        """States that a step changes: subject, key, new value."""
        effects: dict[str, list[tuple[str, str, Value]]] = {
            "take": [(thing, "place", hand)],
            "put": [(thing, "place", str(other))],
            "throw": [(thing, "place", str(other))],
            "open": [(thing, "open", True)],
            "close": [(thing, "open", False)],
            "turn on": [(thing, "on", True)],
            "turn off": [(thing, "on", False)],
            "wash": [(thing, "clean", True)],
            "wipe": [(thing, "clean", True)],
            "fill": [(thing, "full", True)],
            "pour": [(thing, "full", False), (str(other), "full", True)],
            "drink": [(thing, "full", False)],
            "cut": [(thing, "cut", True)],
            "fold": [(thing, "folded", True)],
        }
        return [
            (subject, key, value)
            for subject, key, value in effects.get(verb, [])
            if self.state[subject].get(key) != value
        ]
