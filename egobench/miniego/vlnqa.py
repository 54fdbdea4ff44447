"""VLN-QA: what to do next on the way to a coloured door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from egobench.miniego.episode import Episode
from egobench.miniego.files import Films, write_json
from egobench.miniego.simulate import MOVES

_FOLDERS = {"left": "left", "ahead": "forward", "near": "stop", "right": "right"}


def whereabouts(episode: Episode) -> str:
    """Where the door of the instruction is at the end of a walk: ``left``, ``ahead``, ``near`` or ``right``."""
    colour = episode.facts["instruction"].split("the ")[1].split(" ")[0]
    door = next(thing.id for thing in episode.things if thing.colour == colour)
    end = episode.at(episode.seconds).state
    side = str(end[door]["place"]).rpartition("/")[2]
    return "near" if side == "ahead" and float(end["wearer"]["distance"]) < 0.2 else side


def write(out: Path, episodes: Sequence[Episode], rng: Random, films: Films) -> int:
    """Write the questions; walks come in groups of four with one instruction, which share the order of the options.

    Args:
        out: Folder of the annotations.
        episodes: Walks, four with one instruction after another.
        rng: The source of every choice.
        films: Told which videos are needed.

    Returns:
        The number of questions.
    """
    rows: list[dict[str, object]] = []
    for first in range(0, len(episodes), len(MOVES)):
        options = rng.sample(list(MOVES.values()), len(MOVES))
        for episode in episodes[first : first + len(MOVES)]:
            where = whereabouts(episode)
            video = f"{_FOLDERS[where]}/{episode.number}_frame{episode.frames}.mp4"
            films.whole(episode, f"vln-qa/{video}")
            instruction = episode.facts["instruction"]
            rows.append(
                {
                    "video": video,
                    "question": f'This is a navigation video of an agent following instruction: "{instruction}" '
                    "What is the next action it should take?",
                    "candidates": options,
                    "answer": MOVES[where],
                }
            )
    rng.shuffle(rows)
    write_json(out / "egocentric_navigation.json", rows)
    return len(rows)
