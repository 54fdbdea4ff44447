"""VLN-QA: the next move on the way to a coloured door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from egobench.miniego.official.files import Films, write_json
from egobench.miniego.official.questions import Question, Story
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.walks import MOVES, instruction, sought, whereabouts

_FOLDERS = {"left": "left", "ahead": "forward", "near": "stop", "right": "right"}


_SIDES = {"left": "to the left", "ahead": "straight ahead", "right": "to the right"}
_PLACES = {**_SIDES, "ahead": "straight ahead, far away", "near": "straight ahead, close by"}


def _text(words: str) -> str:
    return (
        f'This is a navigation video of an agent following instruction: "{words}" '
        "What is the next action it should take?"
    )


def next_moves(episode: Episode) -> Iterator[Question]:
    """Make a question about the next move to each door of a walk, as VLN-QA asks it."""
    story = Story(episode)
    for door in episode.things:
        move = MOVES[whereabouts(episode, door.colour)]
        yield story.ask("next-move", _text(instruction(door.colour)), move, ())


def doors(episode: Episode) -> Iterator[Question]:
    """Make questions about the place and the colour of each door of a walk."""
    story = Story(episode)
    for door in episode.things:
        place = _PLACES[whereabouts(episode, door.colour)]
        yield story.ask("door-place", f"Where is the {door.colour} door at the end of the video?", place, ())
        side = _SIDES[door.id.removeprefix("door-")]
        yield story.ask("door-colour", f"At the end of the video, which door is {side}?", f"the {door.colour} door", ())


def write(out: Path, episodes: Sequence[Episode], rng: Random, films: Films) -> int:
    """Write the questions; walks come in groups of four with one instruction, which share the order of the options.

    Args:
        out: Folder of the annotations.
        episodes: Walks, four with one instruction after another.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions.
    """
    rows: list[dict[str, object]] = []
    for first in range(0, len(episodes), len(MOVES)):
        options = rng.sample(list(MOVES.values()), len(MOVES))
        for episode in episodes[first : first + len(MOVES)]:
            where = whereabouts(episode, sought(episode))
            video = f"{_FOLDERS[where]}/{episode.number}_frame{episode.frames}.mp4"
            films.whole(episode, f"vln-qa/{video}")
            rows.append(
                {
                    "video": video,
                    "question": _text(episode.facts["instruction"]),
                    "candidates": options,
                    "answer": MOVES[where],
                }
            )
    rng.shuffle(rows)
    write_json(out / "egocentric_navigation.json", rows)
    return len(rows)
