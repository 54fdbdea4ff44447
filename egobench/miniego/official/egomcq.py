"""EgoMCQ: which of five narrations describes a clip; the others are of other videos, or of the same video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from egobench.miniego.official.epic import noun_words
from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Group, Question, Story, grouped
from egobench.miniego.world.captions import third
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.vocabulary import FIXTURES, NOUNS, VERBS

OPTIONS: Final = 5
LONGEST: Final = 2.0
"""Seconds of a clip at most, around the middle of its step."""
INTER: Final = 1
INTRA: Final = 2
_VERBS: Final = list(VERBS)
_NOUNS: Final = [*NOUNS, *FIXTURES]


def narration(step: Step) -> str:
    """Narration of a step as Ego4D writes it, e.g. ``"#C C takes the red cup from the fridge"``."""
    return f"#C C {third(step)}"


def tags(story: Story, step: Step) -> dict[str, str]:
    """Verb and noun classes of a narration, as lists written out as strings."""
    nouns = [_NOUNS.index(noun) for noun in noun_words(story, step)]
    return {"tag_verb": str([_VERBS.index(step.verb)]), "tag_noun": str(nouns)}


def _clips(episode: Episode) -> Iterator[Question]:
    story = Story(episode)
    for step in episode.steps:
        yield story.ask("clip", "", narration(step), [step], **tags(story, step))


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> dict[str, int]:
    """Write ``egomcq.json``.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes.
        count: Questions of each of the two types, rounded up to whole groups.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions of each type.
    """
    clips = [clip for episode in episodes for clip in _clips(episode)]
    groups = -(-count // OPTIONS)
    within = [replace(clip, text=str(clip.episode.number), template=f"{clip.episode.number}") for clip in clips]
    intra = grouped(rng.sample(within, len(within)), OPTIONS, groups, rng)
    mixed = rng.sample(clips, min(len(clips), 20 * count))
    inter = grouped(mixed, OPTIONS, groups, rng, lambda first, second: first.episode is second.episode)
    rows = [row for kind, drawn in ((INTER, inter), (INTRA, intra)) for group in drawn for row in _rows(group, kind)]
    rng.shuffle(rows)
    write_json(out / "egomcq.json", {str(number): row for number, row in enumerate(rows)})
    for clip in clips:
        films.whole(clip.episode, f"egomcq/{uid('ego4d', clip.episode.number)}.mp4")
    return {"inter": OPTIONS * len(inter), "intra": OPTIONS * len(intra)}


def _rows(group: Group, kind: int) -> Iterator[dict[str, Any]]:
    choices = {str(number): _clip(clip) for number, clip in enumerate(group)}
    for number in range(len(group)):
        yield {"answer": number, "types": kind, "query": choices[str(number)], "choices": choices}


def _clip(clip: Question) -> dict[str, object]:
    """Choice of a question; half of the official times are strings."""
    middle = (clip.start + clip.end) / 2
    start, end = max(clip.start, middle - LONGEST / 2), min(clip.end, middle + LONGEST / 2)
    as_text = clip.episode.number % 2 == 0
    return {
        "video_uid": uid("ego4d", clip.episode.number),
        "video_dur": clip.episode.seconds,
        "narration_source": "narration_pass_1",
        "narration_ind": next(i for i, step in enumerate(clip.episode.steps) if step.start == clip.start),
        "narration_time": round(middle, 3),
        "clip_start": f"{start:.3f}" if as_text else round(start, 3),
        "clip_end": f"{end:.3f}" if as_text else round(end, 3),
        "clip_text": clip.answer,
        **clip.tags,
    }
