"""Chores: series of steps with one thing, from fetching it to putting it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from egobench.miniego.world.episode import Hand
from egobench.miniego.world.scene import Scene
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, SWITCHED

ChoreKind = Literal[
    "store", "wash", "fold", "read", "shake", "cut", "drink", "pour", "fill", "stir", "wipe", "throw", "launder"
]
"""Main action of a chore."""

MACHINE: Final = "washing machine"


@dataclass(frozen=True, slots=True)
class Chore:
    """Fetching a thing, using it, and putting it away.

    Attributes:
        kind: Main action.
        noun: The thing fetched and put away: the tool of ``stir``, ``wipe`` and ``cut``.
        colour: Its colour.
        source: Fixture it is fetched from.
        target: Fixture it is put in or on at the end; unused by ``throw`` and ``launder``.
        hand: The hand that fetches it.
        times: How often it is shaken.
        clean: Whether it is clean before.
        tidy: Whether doors are closed again.
        objects: What the tool is used on: surfaces to wipe, or one ``"colour noun"`` to stir, cut or pour into.
        surface: Where the stirred, cut or filled object stands.
        water: The sink or tub that is used.
    """

    kind: ChoreKind
    noun: str
    colour: str
    source: str
    target: str
    hand: Hand = "right"
    times: int = 1
    clean: bool = False
    tidy: bool = True
    objects: tuple[str, ...] = ()
    surface: str = "counter"
    water: str = "sink"


def prepare(scene: Scene, chore: Chore) -> None:
    """Add the things of a chore to a scene, before anything happens."""
    full = {"full": True} if chore.kind == "pour" else {}
    scene.add(chore.noun, chore.colour, chore.source, clean=chore.clean, **full)
    if chore.kind in {"stir", "cut", "pour"}:
        colour, noun = chore.objects[0].split()
        scene.add(noun, colour, chore.surface, full=chore.kind == "stir")


def perform(scene: Scene, chore: Chore) -> None:
    """Simulate the steps of a chore.

    Raises:
        ImpossibleStepError: If the scene does not allow one of its steps.
    """
    thing = _find(scene, chore.noun, chore.colour)
    _fetch(scene, chore, thing)
    _DEEDS[chore.kind](scene, chore, thing)
    if chore.kind not in {"throw", "launder"}:
        _stow(scene, chore, thing)


def switch(scene: Scene, noun: str, hand: Hand) -> None:
    """Simulate turning a fixture on, or off where it is on."""
    fixture = scene.fixture(noun)
    scene.do("turn off" if scene.state[fixture]["on"] else "turn on", fixture, None, scene.free_hand(hand))


def _find(scene: Scene, noun: str, colour: str) -> str:
    return next(thing.id for thing in scene.things.values() if (thing.noun, thing.colour) == (noun, colour))


def _open(scene: Scene, noun: str, hand: Hand) -> None:
    fixture = scene.fixture(noun)
    if FIXTURES[noun].opens and not scene.state[fixture]["open"]:
        scene.do("open", fixture, None, scene.free_hand(hand))


def _close(scene: Scene, chore: Chore, noun: str) -> None:
    fixture = scene.fixture(noun)
    if chore.tidy and FIXTURES[noun].opens and scene.state[fixture]["open"]:
        scene.do("close", fixture, None, scene.free_hand(chore.hand))


def _fetch(scene: Scene, chore: Chore, thing: str) -> None:
    _open(scene, chore.source, chore.hand)
    scene.do("take", thing, scene.fixture(chore.source), chore.hand)
    if chore.source != chore.target:
        _close(scene, chore, chore.source)


def _stow(scene: Scene, chore: Chore, thing: str) -> None:
    _open(scene, chore.target, chore.hand)
    scene.do("put", thing, scene.fixture(chore.target), chore.hand)
    _close(scene, chore, chore.target)


def _store(_scene: Scene, _chore: Chore, _thing: str) -> None:
    """Nothing between fetching and putting away."""


def _wash(scene: Scene, chore: Chore, thing: str) -> None:
    scene.do("wash", thing, scene.fixture(chore.water), chore.hand)


def _fill(scene: Scene, chore: Chore, thing: str) -> None:
    scene.do("fill", thing, scene.fixture(chore.water), chore.hand)


def _drink(scene: Scene, chore: Chore, thing: str) -> None:
    _fill(scene, chore, thing)
    scene.do("drink", thing, None, chore.hand)


def _pour(scene: Scene, chore: Chore, thing: str) -> None:
    colour, noun = chore.objects[0].split()
    scene.do("pour", thing, _find(scene, noun, colour), chore.hand)


def _tool(scene: Scene, chore: Chore, thing: str) -> None:
    colour, noun = chore.objects[0].split()
    scene.do(chore.kind, _find(scene, noun, colour), thing, chore.hand)


def _wipe(scene: Scene, chore: Chore, thing: str) -> None:
    for noun in chore.objects:
        scene.do("wipe", scene.fixture(noun), thing, chore.hand)


def _fold(scene: Scene, _: Chore, thing: str) -> None:
    scene.do("fold", thing, None, "both")


def _shake(scene: Scene, chore: Chore, thing: str) -> None:
    for _ in range(chore.times):
        scene.do("shake", thing, None, chore.hand)


def _read(scene: Scene, chore: Chore, thing: str) -> None:
    scene.do("read", thing, None, chore.hand)


def _throw(scene: Scene, chore: Chore, thing: str) -> None:
    scene.do("throw", thing, scene.fixture("bin"), chore.hand)


def _launder(scene: Scene, chore: Chore, thing: str) -> None:
    _open(scene, MACHINE, chore.hand)
    scene.do("put", thing, scene.fixture(MACHINE), chore.hand)
    scene.do("close", scene.fixture(MACHINE), None, scene.free_hand(chore.hand))


_DEEDS: Final[Mapping[ChoreKind, Callable[[Scene, Chore, str], None]]] = {
    "store": _store,
    "wash": _wash,
    "fold": _fold,
    "read": _read,
    "shake": _shake,
    "cut": _tool,
    "stir": _tool,
    "drink": _drink,
    "fill": _fill,
    "pour": _pour,
    "wipe": _wipe,
    "throw": _throw,
    "launder": _launder,
}


def fitting(kind: ChoreKind) -> tuple[str, ...]:
    """The nouns that a chore of a kind may fetch."""
    tools = {"stir": ("spoon",), "cut": ("knife",), "wipe": ("sponge",), "launder": ("shirt", "towel")}
    if kind in tools:
        return tools[kind]
    return tuple(noun for noun, thing_kind in NOUNS.items() if kind == "store" or kind in thing_kind.verbs)


def switches(rooms: tuple[str, ...]) -> list[str]:
    """The fixtures of some rooms that can be turned on."""
    return [noun for noun in SWITCHED if FIXTURES[noun].room in rooms]
