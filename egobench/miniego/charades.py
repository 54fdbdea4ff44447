"""Charades-Ego: short episodes around one action, and 157 classes of verb and noun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, Literal

from egobench.miniego.captions import a, third
from egobench.miniego.episode import Episode, Hand, Split, Step
from egobench.miniego.files import Films, uid, write_csv
from egobench.miniego.questions import Story
from egobench.miniego.scene import Scene
from egobench.miniego.world import COLOURS, FIXTURES, NOUNS, OPENED, ROOMS, SWITCHED, WIPED

Reach = Literal["in", "on", ""]
Class = tuple[str, str, Reach]
"""Verb, noun, and for take and put whether it is from in or from on something."""

_HEADER: Final = (
    "id", "subject", "scene", "quality", "relevance", "verified", "script", "objects", "descriptions", "actions",
    "length", "egocentric", "charades_video",
)  # fmt: skip
_TEXTS: Final = {
    "throw": "Throwing away {}",
    "wash": "Washing {}",
    "fill": "Filling {} with water",
    "pour": "Pouring something from {}",
    "drink": "Drinking from {}",
    "stir": "Stirring something in {}",
    "cut": "Cutting {}",
    "fold": "Folding {}",
    "shake": "Shaking {}",
    "read": "Reading something on {}",
    "wipe": "Wiping {}",
    "open": "Opening {}",
    "close": "Closing {}",
    "turn on": "Turning on {}",
    "turn off": "Turning off {}",
}
_MOVES: Final = {
    ("take", "in"): "Taking {} out of something",
    ("take", "on"): "Taking {} off something",
    ("put", "in"): "Putting {} into something",
    ("put", "on"): "Putting {} onto something",
}


def _classes() -> list[Class]:
    classes: list[Class] = []
    reaches: tuple[Reach, ...] = ("in", "on")
    for noun, kind in NOUNS.items():
        classes.extend((verb, noun, reach) for verb in ("take", "put") for reach in reaches)
        classes.extend((verb, noun, "") for verb in kind.verbs)
    classes.extend(("wipe", noun, "") for noun in WIPED)
    classes.extend((verb, noun, "") for noun in OPENED for verb in ("open", "close"))
    classes.extend((verb, noun, "") for noun in SWITCHED for verb in ("turn on", "turn off"))
    return classes


CLASSES: Final = _classes()
"""All 157 classes."""


def label(number: int) -> str:
    """The text of a class, e.g. ``"Washing a cup"``."""
    verb, noun, reach = CLASSES[number]
    text = _MOVES[verb, reach] if reach else _TEXTS[verb]
    return text.format(a(noun) if noun != "bread" else "some bread")


def class_of(story: Story, step: Step) -> int:
    """The class of a step."""
    reach: Reach = ""
    if step.verb in {"take", "put"}:
        reach = "on" if FIXTURES[story.nouns[str(step.other)]].holds == "on" else "in"
    return CLASSES.index((step.verb, story.nouns[step.thing], reach))


def short(rng: Random, number: int, chosen: int, split: Split, fps: float) -> Episode:
    """A short episode around a step of one class.

    Args:
        rng: The source of every choice.
        number: Number of the episode.
        chosen: The class.
        split: The split it is in.
        fps: Frames a second of its videos.
    """
    verb, noun, reach = CLASSES[chosen]
    room = _room(rng, verb, noun)
    scene = Scene((room,), rng, wait=0.4)
    hand: Hand = rng.choice(["left", "right"])
    if noun in FIXTURES:
        _around_fixture(scene, rng, verb, noun, hand)
    else:
        _around_thing(scene, rng, (verb, noun, reach), hand)
    if len(scene.steps) == 1:
        _take_another(scene, rng)
    return scene.finish(number, "short", split, "", fps, {})


def _room(rng: Random, verb: str, noun: str) -> str:
    if noun in FIXTURES:
        return FIXTURES[noun].room
    if verb in {"throw", "cut", "fill"}:
        return "kitchen"
    return rng.choice(["kitchen", "bathroom"] if verb == "wash" else ROOMS)


def _holders(scene: Scene, *, opens: bool | None = None, holds: str = "") -> list[str]:
    """Nouns of the scene's fixtures that things are put in or on."""
    found: list[str] = []
    for fixture in scene.fixtures.values():
        kind = FIXTURES[fixture.noun]
        wanted = kind.holds and (not holds or kind.holds == holds) and (opens is None or kind.opens == opens)
        if wanted and not kind.switch:
            found.append(fixture.noun)
    return found


def _around_fixture(scene: Scene, rng: Random, verb: str, noun: str, hand: Hand) -> None:
    """Open, close, wipe or switch a fixture, with something before or after."""
    fixture = scene.fixture(noun)
    if verb == "wipe":
        sponge = scene.add("sponge", rng.choice(list(COLOURS)), hand)
        scene.do("wipe", fixture, sponge, hand)
        scene.do("put", sponge, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)
        return
    if verb in {"open", "close"}:
        scene.set_fixture(noun, "open", value=verb == "close")
        scene.do(verb, fixture, None, hand)
        return
    scene.set_fixture(noun, "on", value=verb == "turn off")
    scene.do(verb, fixture, None, hand)


def _take_another(scene: Scene, rng: Random) -> None:
    """Take a thing of another noun from where things lie openly."""
    noun = rng.choice([noun for noun in NOUNS if noun not in {thing.noun for thing in scene.things.values()}])
    place = rng.choice(_holders(scene, opens=False))
    thing = scene.add(noun, rng.choice(list(COLOURS)), place)
    scene.do("take", thing, scene.fixture(place), scene.free_hand(rng.choice(["left", "right"])))


def _around_thing(scene: Scene, rng: Random, wanted: Class, hand: Hand) -> None:
    """Do one thing with a thing; where that is no long action, nothing longer is done besides."""
    verb, noun, reach = wanted
    colour = rng.choice(list(COLOURS))
    if verb in {"take", "put"}:
        place = rng.choice(_holders(scene, holds=reach))
        _open_before(scene, place)
        thing = scene.add(noun, colour, place if verb == "take" else hand)
        scene.do(verb, thing, scene.fixture(place), hand)
        if FIXTURES[place].opens and rng.random() < 0.5:
            scene.do("close", scene.fixture(place), None, scene.free_hand(hand))
        return
    if verb in {"cut", "stir"}:
        thing = scene.add(noun, colour, rng.choice(_holders(scene, opens=False)), full=True)
        tool = scene.add({"cut": "knife", "stir": "spoon"}[verb], rng.choice(list(COLOURS)), hand)
        scene.do(verb, thing, tool, hand)
        scene.do("put", tool, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)
        return
    place = rng.choice(_holders(scene, opens=False))
    fetched = rng.random() < 0.5
    thing = scene.add(noun, colour, place if fetched else hand, full=verb in {"pour", "drink"})
    if fetched:
        scene.do("take", thing, scene.fixture(place), hand)
    if verb == "pour":
        vessel = scene.add(rng.choice(["bowl", "pan"]), rng.choice(list(COLOURS)), place)
        scene.do("pour", thing, vessel, hand)
    else:
        scene.do(verb, thing, _other(scene, verb), "both" if verb == "fold" else hand)
    if verb != "throw" and not fetched:
        scene.do("put", thing, scene.fixture(rng.choice(_holders(scene, opens=False))), hand)


def _other(scene: Scene, verb: str) -> str | None:
    """The fixture a verb needs."""
    if verb == "throw":
        return scene.fixture("bin")
    if verb in {"wash", "fill"}:
        return next(name for name, fixture in scene.fixtures.items() if FIXTURES[fixture.noun].water)
    return None


def _open_before(scene: Scene, place: str) -> None:
    if FIXTURES[place].opens:
        scene.set_fixture(place, "open", value=True)


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write the table of first-person test videos and the list of classes.

    Args:
        out: Folder of the annotations.
        episodes: Short episodes.
        films: Told which videos are needed.

    Returns:
        The number of videos.
    """
    rows = [_row(episode) for episode in episodes]
    write_csv(out / "CharadesEgo_v1_test_only1st.csv", _HEADER, rows)
    lines = [f"c{number:03d} {label(number)}" for number in range(len(CLASSES))]
    (out / "Charades_v1_classes.txt").write_text("\n".join(lines), encoding="utf-8")
    for episode in episodes:
        films.whole(episode, f"charades-ego/{video_name(episode)}.mp4")
    return len(rows)


def video_name(episode: Episode) -> str:
    """Five capitals or digits and ``EGO``."""
    return f"{uid('charades', episode.number).replace('-', '')[:8].upper()}EGO"


def _row(episode: Episode) -> tuple[object, ...]:
    story = Story(episode)
    script = f"A person {', then '.join(third(step) for step in episode.steps)}."
    actions = ";".join(f"c{class_of(story, step):03d} {step.start:.2f} {step.end:.2f}" for step in episode.steps)
    objects = ";".join(sorted({story.nouns[step.thing] for step in episode.steps}))
    name = video_name(episode)
    return (
        name, uid("subject", episode.number % 20)[:4].upper(), episode.steps[0].room.capitalize(), 6, 7, "Yes", script,
        objects, f"{script[:-1]}, all in one go.", actions, f"{episode.seconds:.2f}", "Yes", name.removesuffix("EGO"),
    )  # fmt: skip
