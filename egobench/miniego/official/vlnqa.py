"""VLN-QA: the next move on the way to a coloured door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from egobench.miniego.official.files import Films, write_json
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.walks import MOVES, sought, whereabouts

_FOLDERS = {"left": "left", "ahead": "forward", "near": "stop", "right": "right"}


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
