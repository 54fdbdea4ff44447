"""The vocabulary of MiniEgo: rooms, fixtures, things, colours, verbs, and the states that verbs change.

The ``thing`` and ``other`` of a step, by verb (``held`` means in the step's hand)::

    take      thing leaves a fixture for the hand       other: the fixture (open, if it can be closed)
    put       held thing goes in or on a fixture        other: the fixture (open, if it can be closed)
    throw     held thing goes into the bin              other: the bin
    open      thing is a fixture                        other: None
    close     thing is a fixture                        other: None
    turn on   thing is a fixture                        other: None
    turn off  thing is a fixture                        other: None
    wash      held thing becomes clean                  other: the sink or tub
    fill      held vessel becomes full                  other: the sink or tub
    pour      held full vessel becomes empty            other: the vessel that becomes full, standing on a fixture
    drink     held full vessel becomes empty            other: None
    stir      a vessel standing on a fixture            other: the held spoon
    cut       a food lying on the counter               other: the held knife
    wipe      a fixture becomes clean                   other: the held sponge
    fold      held cloth becomes folded, hand is both   other: None
    shake     held thing, several times in a row        other: None
    read      held thing                                other: None

States, all present from time 0: things have ``place`` (a fixture's id, or ``left`` or ``right`` for a hand) and, where
:class:`Noun` says so, ``clean``, ``full``, ``cut`` and ``folded``; fixtures have ``open``, ``on`` and ``clean`` where
:class:`FixtureKind` says so; the wearer has ``room``, ``facing`` and, in walks, ``distance``.

A walk takes place in the room ``hall``: the fixtures ``hall/left``, ``hall/ahead`` and ``hall/right`` (noun
``doorway``, azimuths 270, 0 and 90) each hold a thing of the noun ``door``, whose colour is what can be seen of it. The
wearer's ``distance`` says how far the doorway ahead is: 1 at the far end of the hall, 0 right in front of the door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (210, 40, 40),
    "orange": (245, 140, 20),
    "yellow": (245, 220, 50),
    "green": (45, 155, 65),
    "blue": (40, 85, 215),
    "purple": (130, 60, 175),
    "white": (240, 240, 240),
    "black": (30, 30, 30),
}
"""Colours of things, red, green and blue in [0, 255]."""


@dataclass(frozen=True, slots=True)
class FixtureKind:
    """Abilities of a kind of fixture.

    Attributes:
        room: The room it stands in.
        holds: ``"in"`` or ``"on"`` for one that things are put in or on, else ``""``.
        opens: It can be opened and closed; what lies in it is seen and reached only while it is open.
        switch: It can be turned on and off.
        water: Things are washed and filled there.
        wiped: It can be wiped clean.
    """

    room: str
    holds: str = ""
    opens: bool = False
    switch: bool = False
    water: bool = False
    wiped: bool = False


FIXTURES: Final[dict[str, FixtureKind]] = {
    "fridge": FixtureKind("kitchen", "in", opens=True),
    "cupboard": FixtureKind("kitchen", "in", opens=True),
    "counter": FixtureKind("kitchen", "on", wiped=True),
    "stove": FixtureKind("kitchen", "on", switch=True, wiped=True),
    "sink": FixtureKind("kitchen", "in", water=True),
    "bin": FixtureKind("kitchen"),
    "cabinet": FixtureKind("bathroom", "in", opens=True),
    "washing machine": FixtureKind("bathroom", "in", opens=True, switch=True),
    "shelf": FixtureKind("bathroom", "on", wiped=True),
    "stool": FixtureKind("bathroom", "on", wiped=True),
    "tub": FixtureKind("bathroom", "in", water=True),
    "chest": FixtureKind("living room", "in", opens=True),
    "table": FixtureKind("living room", "on", wiped=True),
    "sofa": FixtureKind("living room", "on"),
    "television": FixtureKind("living room", switch=True),
    "fan": FixtureKind("living room", switch=True),
    "wardrobe": FixtureKind("bedroom", "in", opens=True),
    "drawer": FixtureKind("bedroom", "in", opens=True),
    "desk": FixtureKind("bedroom", "on", wiped=True),
    "bed": FixtureKind("bedroom", "on"),
    "lamp": FixtureKind("bedroom", switch=True),
}
"""Every fixture of the four rooms: a noun stands in a single room, and an episode has every fixture of its rooms."""

ROOMS: Final = ("kitchen", "bathroom", "living room", "bedroom")
HALL: Final = "hall"
DOORWAYS: Final[dict[str, float]] = {"left": 270.0, "ahead": 0.0, "right": 90.0}
"""Azimuths of the doorways of a walk."""


@dataclass(frozen=True, slots=True)
class Noun:
    """Kind of a movable thing.

    Attributes:
        verbs: What can be done to it besides take and put.
        room: Where it is mostly found.
        states: The states it has besides its place, with their usual value at the start.
    """

    verbs: tuple[str, ...]
    room: str
    states: tuple[tuple[str, bool], ...] = ()


_DISH: Final = (("clean", False),)
_VESSEL: Final = (("clean", False), ("full", False))
_FOOD: Final = (("clean", False), ("cut", False))

NOUNS: Final[dict[str, Noun]] = {
    "cup": Noun(("wash", "fill", "pour", "drink", "stir"), "kitchen", _VESSEL),
    "plate": Noun(("wash",), "kitchen", _DISH),
    "bowl": Noun(("wash", "fill", "drink", "stir"), "kitchen", _VESSEL),
    "pan": Noun(("wash", "fill", "stir"), "kitchen", _VESSEL),
    "bottle": Noun(("wash", "fill", "pour", "drink", "shake", "throw"), "kitchen", _VESSEL),
    "jug": Noun(("wash", "fill", "pour", "stir", "shake"), "kitchen", _VESSEL),
    "knife": Noun(("wash",), "kitchen", _DISH),
    "spoon": Noun(("wash",), "kitchen", _DISH),
    "apple": Noun(("wash", "cut", "throw"), "kitchen", _FOOD),
    "carrot": Noun(("wash", "cut", "throw"), "kitchen", _FOOD),
    "bread": Noun(("cut", "throw"), "kitchen", (("cut", False),)),
    "book": Noun(("read",), "living room"),
    "box": Noun(("shake", "throw"), "bedroom"),
    "phone": Noun(("read",), "bedroom"),
    "towel": Noun(("fold", "shake"), "bathroom", (("folded", False),)),
    "shirt": Noun(("wash", "fold", "shake"), "bedroom", (("clean", False), ("folded", False))),
    "sponge": Noun(("throw",), "bathroom"),
    "ball": Noun(("wash",), "living room", _DISH),
    "candle": Noun(("throw",), "living room"),
    "key": Noun(("shake",), "bedroom"),
}
"""Every movable thing."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Word forms and duration of a verb.

    Attributes:
        third: Third person, e.g. ``"takes"``.
        past: Past tense, e.g. ``"took"``.
        gerund: E.g. ``"taking"``.
        participle: E.g. ``"taken"``.
        seconds: Shortest and longest duration.
        moment: Share of the step after which its change happens, in (0, 1).
    """

    third: str
    past: str
    gerund: str
    participle: str
    seconds: tuple[float, float]
    moment: float = 0.5


VERBS: Final[dict[str, Verb]] = {
    "take": Verb("takes", "took", "taking", "taken", (1.1, 1.5)),
    "put": Verb("puts", "put", "putting", "put", (1.1, 1.5)),
    "throw": Verb("throws", "threw", "throwing", "thrown", (1.1, 1.5)),
    "open": Verb("opens", "opened", "opening", "opened", (1.0, 1.3)),
    "close": Verb("closes", "closed", "closing", "closed", (1.0, 1.3)),
    "turn on": Verb("turns on", "turned on", "turning on", "turned on", (1.0, 1.3)),
    "turn off": Verb("turns off", "turned off", "turning off", "turned off", (1.0, 1.3)),
    "wash": Verb("washes", "washed", "washing", "washed", (1.8, 2.5), 0.6),
    "fill": Verb("fills", "filled", "filling", "filled", (1.6, 2.2), 0.6),
    "pour": Verb("pours", "poured", "pouring", "poured", (1.5, 2.1), 0.6),
    "drink": Verb("drinks", "drank", "drinking", "drunk", (1.5, 2.1), 0.6),
    "stir": Verb("stirs", "stirred", "stirring", "stirred", (1.6, 2.3), 0.6),
    "cut": Verb("cuts", "cut", "cutting", "cut", (1.8, 2.5), 0.6),
    "wipe": Verb("wipes", "wiped", "wiping", "wiped", (1.6, 2.3), 0.6),
    "fold": Verb("folds", "folded", "folding", "folded", (1.5, 2.1), 0.6),
    "shake": Verb("shakes", "shook", "shaking", "shaken", (0.8, 1.0), 0.6),
    "read": Verb("reads", "read", "reading", "read", (1.8, 2.5), 0.6),
}
"""Every verb of a step."""

WIPED: Final = tuple(noun for noun, kind in FIXTURES.items() if kind.wiped)
OPENED: Final = tuple(noun for noun, kind in FIXTURES.items() if kind.opens)
SWITCHED: Final = tuple(noun for noun, kind in FIXTURES.items() if kind.switch)
HOLDERS: Final = tuple(noun for noun, kind in FIXTURES.items() if kind.holds)


def place(fixture: str) -> str:
    """Phrase for a place in or on a fixture, e.g. ``"in the fridge"``.

    Args:
        fixture: A noun of ``FIXTURES``.
    """
    return f"{FIXTURES[fixture].holds or 'in'} the {fixture}"
