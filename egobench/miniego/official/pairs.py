"""Captioned videos: a clip per step with a sentence, exocentric and egocentric ones in a table each, for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from egobench.miniego.official.files import Films, uid, write_csv
from egobench.miniego.world.cameras import fixed_cameras
from egobench.miniego.world.captions import third
from egobench.miniego.world.episode import Episode, View
from egobench.miniego.world.narrators import in_other_words
from egobench.miniego.world.streams import stream

_HEADER = ("path", "caption")


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write ``ego.csv`` and ``exo.csv``.

    Args:
        out: Folder of the tables.
        episodes: Short episodes.
        films: List of the videos to render; these are added.

    Returns:
        Number of pairs in both tables.
    """
    ego: list[tuple[str, str]] = []
    exo: list[tuple[str, str]] = []
    for episode in episodes:
        views: list[View] = ["ego", *fixed_cameras(episode)]
        rng = stream("pairs", episode.split, episode.number)
        for step in episode.steps:
            for view in views:
                words = third(step) if rng.random() < 0.5 else in_other_words(step, rng)
                kind, rows, subject = ("ego", ego, "C") if view == "ego" else ("exo", exo, "A person")
                path = f"{kind}/{uid('pair', episode.split, episode.number, step.start, view)}.mp4"
                films.stretch(episode, step.start, step.end, f"pairs/{path}", view=view)
                rows.append((path, f"{subject} {words}."))
    write_csv(out / "ego.csv", _HEADER, ego)
    write_csv(out / "exo.csv", _HEADER, exo)
    return len(ego) + len(exo)
