"""EgoTimeQA: open and closed questions of all kinds about whole clips, for training.

The questions are those that the test tasks ask, about episodes of another split. Four of them have the same text and
share their options, every option the answer of a single one, so that nothing but the video tells the answers apart.
Questions to be answered with yes or no have no options and come in pairs of one text, with either answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

from egobench.miniego.official import egoplan, egoschema, egotaskqa, qaego4d, vlnqa
from egobench.miniego.official.egomcq import narration
from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.qaego4d import CLIP_FPS
from egobench.miniego.official.questions import Group, Question, grouped
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.simulate import TrainingEpisodes

OPTIONS: Final = 4
MOST_PER_CLIP: Final = 56
"""Most questions per clip on average, which is what EgoTimeQA has."""
YES_OR_NO_PER_TAKE: Final = 16
"""Most questions per take on average that are to be answered with yes or no."""
_NEXT: Final = "next"
"""Template of questions about the next action, whose clip ends before it."""


def candidates(episode: Episode, rng: Random) -> Iterator[Question]:
    """Make every question that has more than two possible answers about an activity or a walk.

    Args:
        episode: An activity or a walk.
        rng: The source of the moments at which the next action is asked for.
    """
    if episode.kind == "walk":
        return chain(vlnqa.next_moves(episode), vlnqa.doors(episode))
    queries = (question for question in egotaskqa.candidates(episode) if question.tags["structural"] == "query")
    return chain(egoschema.candidates(episode), qaego4d.candidates(episode), queries, _next_actions(episode, rng))


def _next_actions(episode: Episode, rng: Random) -> Iterator[Question]:
    """Questions about the next action at three moments, one of them where EgoTaskQA asks for it too."""
    moments = list(egoplan.candidates(episode))
    cut = egotaskqa.cut_before(episode).start
    yield from (moment for moment in moments if moment.start == cut)
    others = [moment for moment in moments if moment.start != cut]
    yield from rng.sample(others, min(2, len(others)))


def write(out: Path, episodes: TrainingEpisodes, rng: Random, films: Films) -> int:
    """Write ``annotations.EgoTimeQA.json``.

    Args:
        out: Folder of the annotations.
        episodes: Episodes of the split train or val.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions.
    """
    clips = [*episodes.takes, *episodes.walks]
    questions = [question for episode in clips for question in candidates(episode, rng)]
    groups = grouped(questions, OPTIONS, len(clips) * MOST_PER_CLIP // OPTIONS, rng, _clash)
    verify = [question for episode in episodes.takes for question in _yes_or_no(episode)]
    groups += grouped(verify, 2, len(episodes.takes) * YES_OR_NO_PER_TAKE // 2, rng)
    rows = [row for group in groups for row in _rows(group, films)]
    rng.shuffle(rows)
    write_json(out / "annotations.EgoTimeQA.json", rows)
    return len(rows)


def _yes_or_no(episode: Episode) -> Iterator[Question]:
    return (question for question in egotaskqa.candidates(episode) if question.tags["structural"] == "verify")


def _clash(first: Question, second: Question) -> bool:
    return "place" in first.tags and egoplan.clash(first, second)


def _rows(group: Group, films: Films) -> Iterator[dict[str, object]]:
    for number, question in enumerate(group):
        episode = question.episode
        end = episode.seconds
        if question.template == _NEXT:
            end = round(question.start - egoplan.GLANCE, 3)
        clip = uid("egotimeqa", episode.split, episode.number, end)
        films.stretch(episode, 0.0, end, f"egotimeqa/{clip}.mp4")
        start, stop = min(question.start, end), min(question.end, end)
        narrations = [narration(step) for step in episode.steps if step.end > start and step.start < stop]
        wrong = [other.answer for other in (*group[number + 1 :], *group[:number])]
        yield {
            "video_id": clip,
            "sample_id": None,
            "question": question.text,
            "answer": question.answer,
            "start_sec": start,
            "end_sec": stop,
            "moment_start_frame": round(start * CLIP_FPS, 3),
            "moment_end_frame": round(stop * CLIP_FPS, 3),
            "narrations": narrations,
            **({"wrong_answers": wrong} if len(group) == OPTIONS else {}),
        }
