"""Something-Something-V2: a clip per step, labelled with a template and what its blanks stand for, for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from egobench.miniego.official.files import Films, write_json
from egobench.miniego.official.questions import Story
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.vocabulary import FIXTURES

TEMPLATES: Final = {
    "take in": "Taking [something] out of [something]",
    "take on": "Taking [something] from [something]",
    "put in": "Putting [something] into [something]",
    "put on": "Putting [something] onto [something]",
    "throw": "Throwing [something] into [something]",
    "open": "Opening [something]",
    "close": "Closing [something]",
    "turn on": "Turning on [something]",
    "turn off": "Turning off [something]",
    "wash": "Washing [something] in [something]",
    "fill": "Filling [something] with water at [something]",
    "pour": "Pouring from [something] into [something]",
    "drink": "Drinking from [something]",
    "stir": "Stirring in [something] with [something]",
    "cut": "Cutting [something] with [something]",
    "wipe": "Wiping [something] with [something]",
    "fold": "Folding [something]",
    "shake": "Shaking [something]",
    "read": "Reading [something]",
}
"""Template by verb, and for take and put by whether it is from in or from on something."""
_BLANK: Final = "[something]"
_ROOT: Final = "something-something-v2"


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write the labels of the classes, and of the splits train and validation.

    Args:
        out: Folder of the annotations.
        episodes: Short episodes of both splits.
        films: List of the videos to render; these are added.

    Returns:
        Number of clips.
    """
    classes = {_class(template): str(number) for number, template in enumerate(sorted(TEMPLATES.values()))}
    write_json(out / "labels" / "labels.json", classes)
    total = 0
    for split, name in (("train", "train"), ("val", "validation")):
        rows: list[dict[str, object]] = []
        for episode in episodes:
            if episode.split == split:
                rows += [_row(episode, number, films) for number in range(len(episode.steps))]
        write_json(out / "labels" / f"{name}.json", rows)
        total += len(rows)
    return total


def _class(template: str) -> str:
    return template.replace(_BLANK, _BLANK[1:-1])


def _row(episode: Episode, number: int, films: Films) -> dict[str, object]:
    """Row of the clip of a step."""
    step = episode.steps[number]
    template = _template(Story(episode), step)
    words = _placeholders(Story(episode), step)[: template.count(_BLANK)]
    label = template
    for word in words:
        label = label.replace(_BLANK, word, 1)
    name = str(10 * episode.number + number)
    films.stretch(episode, step.start, step.end, f"{_ROOT}/20bn-something-something-v2/{name}.webm")
    return {"id": name, "label": label.lower(), "template": template, "placeholders": words}


def _template(story: Story, step: Step) -> str:
    if step.verb in {"take", "put"}:
        return TEMPLATES[f"{step.verb} {FIXTURES[story.nouns[str(step.other)]].holds}"]
    return TEMPLATES[step.verb]


def _placeholders(story: Story, step: Step) -> list[str]:
    """Words for the thing of a step and for what it is done with."""
    ids = [step.thing] if step.other is None else [step.thing, step.other]
    return [story.phrases.get(name, story.nouns[name]).removeprefix("the ") for name in ids]
