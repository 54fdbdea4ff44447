"""EgoClip: every narration with a clip around it, as long as the mean gap between narrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from egobench.miniego.official.egomcq import tags
from egobench.miniego.official.files import Films, write_csv
from egobench.miniego.official.questions import Story
from egobench.miniego.official.takes import take_uid
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.narrators import narrations

ALPHA: Final = 1.0
"""Share of the mean gap between narrations that an EgoClip clip lasts."""

_HEADER: Final = (
    "clip_idx", "video_uid", "video_dur", "narration_source", "narration_ind", "narration_time", "clip_start",
    "clip_end", "clip_text", "tag_verb", "tag_noun",
)  # fmt: skip


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write ``egoclip.csv``.

    Args:
        out: Folder of the training data.
        episodes: Activity episodes of one split.
        films: List of the videos to render; these are added.

    Returns:
        Number of clips.
    """
    rows = [row for episode in episodes for row in _rows(episode)]
    write_csv(out / "egoclip.csv", _HEADER, ((number, *row) for number, row in enumerate(rows)), delimiter="\t")
    for episode in episodes:
        films.whole(episode, f"egoclip/{take_uid(episode)}.mp4")
    return len(rows)


def _rows(episode: Episode) -> Iterator[tuple[object, ...]]:
    """Rows of an episode without their index."""
    story = Story(episode)
    for narrator in (0, 1):
        spoken = narrations(episode, narrator)
        half = ALPHA * episode.seconds / max(1, len(spoken)) / 2
        for number, (time, words, step) in enumerate(spoken):
            classes = tags(story, step)
            start, end = round(max(0.0, time - half), 3), round(min(episode.seconds, time + half), 3)
            yield (
                take_uid(episode), episode.seconds, f"narration_pass_{narrator + 1}", number, time, start, end,
                f"#C C {words}", classes["tag_verb"], classes["tag_noun"],
            )  # fmt: skip
