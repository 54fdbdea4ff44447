"""EPIC-KITCHENS-100 multi-instance retrieval: a row per step, with verb and noun classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from egobench.miniego.official.files import Films, write_csv
from egobench.miniego.official.questions import Story
from egobench.miniego.world.captions import telegram
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, VERBS

NOMINAL_FPS: Final = 60
"""Rate at which the frame columns count, from 1, whatever the rate of the file."""
VIDEOS_EACH: Final = 3
"""Videos per participant."""
_HEADER: Final = (
    "narration_id", "participant_id", "video_id", "narration_timestamp", "start_timestamp", "stop_timestamp",
    "start_frame", "stop_frame", "narration", "verb", "verb_class", "noun", "noun_class", "all_nouns",
    "all_noun_classes",
)  # fmt: skip
_VERB_CLASSES: Final = list(VERBS)
_NOUN_CLASSES: Final = [*NOUNS, *FIXTURES]


def participant(episode: Episode) -> str:
    """Participant of an episode, e.g. ``"P01"``."""
    return f"P{1 + episode.number // VIDEOS_EACH:02d}"


def video_name(episode: Episode) -> str:
    """Video id of an episode, e.g. ``"P01_02"``."""
    return f"{participant(episode)}_{1 + episode.number % VIDEOS_EACH:02d}"


def noun_words(story: Story, step: Step) -> list[str]:
    """Nouns of the caption of a step, the main noun first."""
    ids = [step.thing] if step.other is None or step.verb in {"stir", "cut", "wipe"} else [step.thing, step.other]
    return list(dict.fromkeys(story.nouns[name] for name in ids))


def write(out: Path, episodes: Sequence[Episode], films: Films) -> int:
    """Write the retrieval files, the classes and the table of videos.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes at EPIC's frame rate.
        films: List of the videos to render; these are added.

    Returns:
        Number of queries.
    """
    rows = [row for episode in episodes for row in _rows(episode)]
    write_csv(out / "EPIC_100_retrieval_test.csv", _HEADER, rows)
    sentences = {str(row[8]): (row[0], row[8]) for row in reversed(rows)}
    ordered = [sentences[text] for text in dict.fromkeys(str(row[8]) for row in rows)]
    write_csv(out / "EPIC_100_retrieval_test_sentence.csv", ("narration_id", "narration"), ordered)
    write_videos_table(out, episodes)
    for name, classes in (("verb", _VERB_CLASSES), ("noun", _NOUN_CLASSES)):
        table = [(number, key, [key], "miniego") for number, key in enumerate(classes)]
        write_csv(out / f"EPIC_100_{name}_classes.csv", ("id", "key", "instances", "category"), table)
    for episode in episodes:
        films.whole(episode, f"epic-kitchens-mir/{participant(episode)}/{video_name(episode)}.MP4")
    return len(rows)


def write_videos_table(out: Path, episodes: Sequence[Episode]) -> None:
    """Write the table of videos, which EgoPlan needs as well."""
    videos = [(video_name(episode), episode.seconds, round(episode.fps, 6), "256x192") for episode in episodes]
    write_csv(out / "EPIC_100_video_info.csv", ("video_id", "duration", "fps", "resolution"), videos)


def _rows(episode: Episode) -> list[tuple[object, ...]]:
    story = Story(episode)
    rows: list[tuple[object, ...]] = []
    for number, step in enumerate(episode.steps):
        nouns = noun_words(story, step)
        classes = [_NOUN_CLASSES.index(noun) for noun in nouns]
        rows.append((
            f"{video_name(episode)}_{number}", participant(episode), video_name(episode),
            _timestamp(max(0.0, step.start - 0.2), 3), _timestamp(step.start, 2), _timestamp(step.end, 2),
            max(1, _frame(step.start)), _frame(step.end), telegram(step),
            step.verb, _VERB_CLASSES.index(step.verb), nouns[0], classes[0], nouns, classes,
        ))  # fmt: skip
    return rows


def _frame(seconds: float) -> int:
    """Number of frames before a moment at the nominal rate; rounded first, as 60 x 16.65 is a little below 999."""
    return math.floor(round(NOMINAL_FPS * seconds, 6))


def _timestamp(seconds: float, digits: int) -> str:
    """Moment as ``HH:MM:SS.ss``."""
    whole, part = divmod(round(seconds * 10**digits), 10**digits)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{part:0{digits}d}"
