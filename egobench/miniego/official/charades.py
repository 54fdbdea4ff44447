"""Charades-Ego: short episodes with the classes of their steps, 157 of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from egobench.miniego.official.files import Films, uid, write_csv
from egobench.miniego.official.questions import Story
from egobench.miniego.world.captions import a, third
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.shorts import ACTIONS, Reach
from egobench.miniego.world.vocabulary import FIXTURES

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


def label(number: int) -> str:
    """Text of a class, e.g. ``"Washing a cup"``."""
    verb, noun, reach = ACTIONS[number]
    text = _MOVES[verb, reach] if reach else _TEXTS[verb]
    return text.format(a(noun) if noun != "bread" else "some bread")


def class_of(story: Story, step: Step) -> int:
    """Class of a step."""
    reach: Reach = ""
    if step.verb in {"take", "put"}:
        reach = "on" if FIXTURES[story.nouns[str(step.other)]].holds == "on" else "in"
    return ACTIONS.index((step.verb, story.nouns[step.thing], reach))


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write the table of first-person test videos and the list of classes.

    Args:
        out: Folder of the annotations.
        episodes: Short episodes.
        films: List of the videos to render; these are added.

    Returns:
        Number of videos.
    """
    rows = [_row(episode) for episode in episodes]
    write_csv(out / "CharadesEgo_v1_test_only1st.csv", _HEADER, rows)
    lines = [f"c{number:03d} {label(number)}" for number in range(len(ACTIONS))]
    (out / "Charades_v1_classes.txt").write_text("\n".join(lines), encoding="utf-8")
    for episode in episodes:
        films.whole(episode, f"charades-ego/{video_name(episode)}.mp4")
    return len(rows)


def video_name(episode: Episode) -> str:
    """Video id of an episode: eight capitals or digits and ``EGO``."""
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
