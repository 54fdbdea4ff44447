"""Draws ``docs/miniego.png``: one moment seen by the wearer and by three cameras, eleven verbs, and a walk.

Run it from anywhere: ``python docs/pictures/miniego_sheet.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image

from egobench.miniego.drawing.ego_view import HEIGHT, WIDTH
from egobench.miniego.drawing.renderer import Renderer
from egobench.miniego.drawing.timecode import Picture
from egobench.miniego.world.activities import activities
from egobench.miniego.world.episode import Episode, Step, View
from egobench.miniego.world.walks import walks

COLUMNS: Final = 4
GAP: Final = 4
VIEWS: Final[tuple[View, ...]] = ("ego", "exo1", "exo2", "exo3")
FIRST: Final = "wash"
VERBS: Final = {
    "take": 0.62, "open": 0.48, "put": 0.4, "cut": 0.7, "pour": 0.4, "stir": 0.4, "wipe": 0.42, "fold": 0.4,
    "turn on": 0.56, "read": 0.5, "throw": 0.62,
}  # fmt: skip
"""Verbs shown and at what share of their step."""


def first_step(verb: str) -> tuple[Episode, Step]:
    """First step with a verb among the episodes of the test split."""
    episodes = (episode for number in range(100) for episode in activities(0, "test", number, 15.0, alike=False))
    return next((episode, step) for episode in episodes for step in episode.steps if step.verb == verb)


def pictures() -> Iterator[Picture]:
    """Every picture of the sheet in order."""
    episode, step = first_step(FIRST)
    for view in VIEWS:
        yield Renderer(episode, view).picture((step.start + step.end) / 2)
    for verb, share in VERBS.items():
        episode, step = first_step(verb)
        yield Renderer(episode, "ego").picture(step.start + share * (step.end - step.start))
    yield Renderer(next(walks(0, "test", 1, 0)), "ego").picture(0.2)


def contact_sheet() -> Image.Image:
    """All pictures side by side."""
    tiles = list(pictures())
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP), "white")
    for number, picture in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        sheet.paste(Image.fromarray(picture), (GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + GAP)))
    return sheet


if __name__ == "__main__":
    contact_sheet().save(Path(__file__).parents[1] / "miniego.png", optimize=True)
