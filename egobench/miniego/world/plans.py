"""Plans of activity episodes: families of five siblings that differ in just what questions ask about.

The siblings of a family share goal, rooms and the nouns they handle. Over the siblings, each thing varies in one
respect (its colour, where it comes from, where it ends, how often it is shaken) and stays the same in the others, the
order of the chores differs, and so do hands and states. So a question such as "Where did I put the red cup?" makes
sense for every sibling and has another answer in each, and nothing in its words favours one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random
from typing import Final, Literal

from egobench.miniego.world.chores import Chore, ChoreKind, fitting, switches
from egobench.miniego.world.episode import Episode, Hand
from egobench.miniego.world.vocabulary import COLOURS, FIXTURES, NOUNS, WIPED

SIBLINGS: Final = 5
SIBLING_CHORES: Final = 3
STRANGER_CHORES: Final = 4
Respect = Literal["colour", "source", "target", "times"]
Scenario = Literal["Cooking", "Cleaning", "Laundry", "Leisure", "Tidying"]


@dataclass(frozen=True, slots=True)
class Goal:
    """Purpose of an activity episode.

    Attributes:
        text: Clause after "in order to", e.g. ``"wash the dishes"``.
        third: Sentence about C.
        scenario: Kind of activity.
        chores: Chores that serve it.
        rooms: Pairs of rooms where it makes sense.
        final: Fixtures of which one is switched at the very end; may be empty.
    """

    text: str
    third: str
    scenario: Scenario
    chores: tuple[ChoreKind, ...]
    rooms: tuple[tuple[str, str], ...]
    final: tuple[str, ...] = ()


_ANY: Final = (
    ("kitchen", "living room"), ("bathroom", "bedroom"), ("living room", "bedroom"), ("kitchen", "bathroom"),
    ("bedroom", "kitchen"),
)  # fmt: skip
_KITCHEN: Final = tuple(pair for pair in _ANY if "kitchen" in pair)
_WATER: Final = tuple(pair for pair in _ANY if {"kitchen", "bathroom"} & set(pair))

GOALS: Final = (
    Goal("wash the dishes", "C washes the dishes.", "Cleaning", ("wash", "wash", "wash"), _WATER),
    Goal("put things away", "C puts things away.", "Tidying", ("store", "store", "store"), _ANY),
    Goal(
        "do the laundry",
        "C does the laundry.",
        "Laundry",
        ("launder", "launder"),
        (_ANY[1], _ANY[3]),
        ("washing machine",),
    ),
    Goal("fold the laundry", "C folds the laundry.", "Laundry", ("fold", "fold"), _ANY),
    Goal("throw out the rubbish", "C throws out the rubbish.", "Cleaning", ("throw", "throw", "throw"), _KITCHEN),
    Goal("hear what is inside", "C shakes things to hear what is inside.", "Leisure", ("shake", "shake"), _ANY),
    Goal("prepare a meal", "C prepares a meal.", "Cooking", ("cut", "stir"), _KITCHEN, ("stove",)),
    Goal("serve drinks", "C serves drinks.", "Cooking", ("drink", "pour", "fill"), _KITCHEN),
    Goal("read for a while", "C reads for a while.", "Leisure", ("read", "read"), _ANY, ("television", "lamp", "fan")),
    Goal("clean the surfaces", "C cleans the surfaces.", "Cleaning", ("wipe",), _WATER),
)
"""Every goal of an activity episode; the chores of one goal are never the main part of another."""


def goal_of(episode: Episode) -> Goal:
    """Goal of an activity episode."""
    return next(goal for goal in GOALS if goal.text == episode.goal)


_SIDES: Final[tuple[ChoreKind, ...]] = ("store", "wash", "fold", "read", "shake", "throw")
_NEEDS: Final[Mapping[ChoreKind, set[str]]] = {"wash": {"kitchen", "bathroom"}, "throw": {"kitchen"}}


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of one episode.

    Attributes:
        goal: Its purpose.
        rooms: Its rooms; the wearer starts in the first.
        chores: In order.
        final: Fixture switched at the end, ``""`` for none.
        on: Whether that fixture is on before.
        bystanders: Things that nobody touches: noun, colour, fixture.
    """

    goal: Goal
    rooms: tuple[str, str]
    chores: tuple[Chore, ...]
    final: str
    on: bool
    bystanders: tuple[tuple[str, str, str], ...]


def family(rng: Random, goal: Goal, rooms: tuple[str, str], *, alike: bool) -> list[Plan]:
    """Plans of five siblings.

    Args:
        rng: The source of every choice.
        goal: Goal of all of them.
        rooms: Rooms of all of them.
        alike: False for a family of which one plan is used: with more chores, and things within easy reach.
    """
    sources = storage(rooms) if alike else surfaces(rooms)
    roles = _roles(rng, goal, rooms, sources, SIBLING_CHORES if alike else STRANGER_CHORES)
    respects: list[Callable[[int], Chore]] = [_varied(rng, role, rooms, sources) for role in roles]
    orders = list(permutations(range(len(roles))))
    orders *= -(-SIBLINGS // len(orders))
    final = next((noun for noun in goal.final if noun in switches(rooms)), "")
    used = {role.noun for role in roles} | {word for role in roles for words in role.objects for word in words.split()}
    nouns = [noun for noun in NOUNS if noun not in used]
    plans: list[Plan] = []
    for sibling, order in enumerate(rng.sample(orders, SIBLINGS)):
        chores = [vary(sibling) for vary in respects]
        bystanders = tuple(
            (noun, rng.choice(list(COLOURS)), rng.choice(storage(rooms))) for noun in rng.sample(nouns, 3)
        )
        on = final in {"television", "lamp", "fan"} and rng.random() < 0.5
        plans.append(Plan(goal, rooms, tuple(chores[role] for role in order), final, on, bystanders))
    return plans


def _five(rng: Random, places: list[str]) -> list[str]:
    """Five places, different ones as far as there are enough."""
    rng.shuffle(places)
    return [places[number % len(places)] for number in range(SIBLINGS)]


def surfaces(rooms: tuple[str, str]) -> list[str]:
    """The fixtures of some rooms from which things are taken without opening anything."""
    return [noun for noun, kind in FIXTURES.items() if kind.room in rooms and kind.holds and not kind.opens]


def storage(rooms: tuple[str, str]) -> list[str]:
    """The fixtures of some rooms where things are kept."""
    return [
        noun
        for noun, kind in FIXTURES.items()
        if kind.room in rooms and kind.holds and not kind.water and not kind.switch
    ]


def _roles(rng: Random, goal: Goal, rooms: tuple[str, str], sources: Sequence[str], count: int) -> list[Chore]:
    """The chores that all siblings share, before they vary."""
    sides: list[ChoreKind] = [
        kind for kind in _SIDES if kind not in goal.chores and _NEEDS.get(kind, set(rooms)) & set(rooms)
    ]
    if "launder" in goal.chores:
        sides.remove("fold")
    kinds: list[ChoreKind] = [*goal.chores, *rng.sample(sides, max(0, count - len(goal.chores)))]
    free = set(NOUNS) - {"spoon", "knife", "sponge"} | {noun for kind in goal.chores for noun in fitting(kind)[:1]}
    roles: list[Chore] = []
    for kind in kinds:
        nouns = [noun for noun in fitting(kind) if noun in free]
        if not nouns:  # the main chores took them all: one side chore less
            continue
        noun = rng.choice(nouns)
        free.discard(noun)
        source = rng.choice(sources)
        target = rng.choice([noun for noun in storage(rooms) if noun != source])
        role = Chore(
            kind, noun, rng.choice(list(COLOURS)), source, target,
            water="sink" if "kitchen" in rooms else "tub", surface="counter" if "kitchen" in rooms else "stool",
        )  # fmt: skip
        role = replace(role, objects=_objects(rng, role, rooms, free))
        roles.append(role)
    return roles


def _objects(rng: Random, role: Chore, rooms: tuple[str, str], free: set[str]) -> tuple[str, ...]:
    """Objects that the tool of a chore is used on."""
    if role.kind == "wipe":
        return tuple(rng.sample([noun for noun in WIPED if FIXTURES[noun].room in rooms], 3))
    candidates = {
        "cut": ("apple", "carrot", "bread"),
        "stir": ("bowl", "pan"),
        "pour": ("bowl", "pan"),
    }.get(role.kind, ())
    if not candidates:
        return ()
    noun = rng.choice([noun for noun in candidates if noun in free])
    free.discard(noun)
    return (f"{rng.choice(list(COLOURS))} {noun}",)


def _varied(rng: Random, role: Chore, rooms: tuple[str, str], sources: Sequence[str]) -> Callable[[int], Chore]:
    """A role as each sibling plays it: one respect varies, hands and states alternate."""
    respects: tuple[Respect, ...] = ("colour", "source", "target")
    if role.kind == "shake":
        respects = ("times", "times", "source")
    elif role.kind in {"throw", "launder"}:
        respects = ("colour", "source")
    respect = rng.choice(respects)
    colours = rng.sample(list(COLOURS), SIBLINGS)
    away, among = (role.target, sources) if respect == "source" else (role.source, storage(rooms))
    places = _five(rng, [noun for noun in among if noun != away])
    times = rng.sample([1, 2, 3, 4, rng.randint(1, 4)], SIBLINGS)
    hands: list[Hand] = rng.sample(["left", "right", "left", "right", rng.choice(["left", "right"])], SIBLINGS)
    clean = rng.sample([True, False, True, False, rng.random() < 0.5], SIBLINGS)
    tidy = [rng.random() < 0.6 for _ in range(SIBLINGS)]
    objects = [tuple(rng.sample(role.objects, len(role.objects))) for _ in range(SIBLINGS)]

    def play(sibling: int) -> Chore:
        chore = replace(
            role, hand=hands[sibling], clean=clean[sibling], tidy=tidy[sibling], objects=objects[sibling],
            times=times[sibling] if role.kind == "shake" else 1,
        )  # fmt: skip
        if respect == "colour":
            return replace(chore, colour=colours[sibling])
        if respect == "source":
            return replace(chore, source=places[sibling])
        return replace(chore, target=places[sibling]) if respect == "target" else chore

    return play
