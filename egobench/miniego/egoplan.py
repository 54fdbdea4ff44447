"""EgoPlan: which action comes next, given a goal, the progress so far and the view of the moment.

The four options of a question are the next actions of four moments with the same goal. They happen at four fixtures,
none of them was done before any of the four moments, and each could be done at any of them, as far as the narrations
tell. So goal and progress fit all four, and only what the wearer turns to in the last frame tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

from egobench.miniego.captions import phrase, telegram
from egobench.miniego.epic import participant, video_name
from egobench.miniego.episode import Episode, Step
from egobench.miniego.files import Films, uid, write_json
from egobench.miniego.questions import Group, Question, Story, grouped
from egobench.miniego.world import FIXTURES

OPTIONS: Final = 4
EGO4D_FPS: Final = 30.0
EPIC_FPS: Final = 15000 / 1001
"""Frame rate of MiniEgo's EPIC videos, a quarter of the usual one. Their frames count from 1, those of Ego4D from 0."""
ROUNDS: Final = 8
"""How often the moments are grouped anew, so that a moment is asked about with several sets of options."""
GLANCE: Final = 0.04
"""Seconds before the next action at which it is asked for: the head has arrived, the action has not begun."""


def candidates(episode: Episode) -> Iterator[Question]:
    """A question for every step that the wearer turns to, but the first, and those at doors that were left open."""
    story = Story(episode)
    arrivals = [(change.time, str(change.value)) for change in episode.changes if change.key == "facing"]
    done: set[str] = set()
    for before, step in pairwise(episode.steps):
        done.add(telegram(before))
        faced = next((place for time, place in arrivals if before.end <= time <= step.start), None)
        if faced is None or step.verb == "close" or telegram(step) in done:
            continue
        if step.verb == "open" or not FIXTURES[story.nouns[faced]].opens:
            handled = "" if step.verb == "take" else story.phrases.get(step.thing, "")
            yield story.ask("next", _text(episode), telegram(step), [step], place=faced, handled=handled)


def _text(episode: Episode) -> str:
    return (
        "Considering the progress shown in the video and my current observation in the last frame, what action should "
        f"I take next in order to {episode.goal}?"
    )


def _clash(one: Question, other: Question) -> bool:
    """Whether two moments must not share options: same fixture, or an action that the other's narrations rule out."""
    if one.tags["place"] == other.tags["place"]:
        return True
    return _ruled_out(one, other) or _ruled_out(other, one)


def _ruled_out(one: Question, other: Question) -> bool:
    """Whether the narrations up to one moment rule out the next action of another."""
    steps = past(one)
    if other.answer in {telegram(step) for step in steps}:
        return True
    held = _held(one, steps)
    if bool(held) != bool(_held(other, past(other))):
        return True
    return bool(other.tags["handled"]) and other.tags["handled"] not in held


def _held(question: Question, steps: Sequence[Step]) -> set[str]:
    """The things in hand after some steps."""
    names = {thing.id: phrase(thing) for thing in question.episode.things}
    held: set[str] = set()
    for step in steps:
        if step.verb == "take":
            held.add(names[step.thing])
        elif step.verb in {"put", "throw"}:
            held.discard(names[step.thing])
    return held


def past(question: Question) -> list[Step]:
    """The steps before the one that is asked for."""
    return [step for step in question.episode.steps if step.start < question.start]


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> int:
    """Write the validation file, from EPIC and from Ego4D videos.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes at ``EPIC_FPS`` or ``EGO4D_FPS``.
        count: Questions wanted.
        rng: The source of every choice.
        films: Told which videos are needed.

    Returns:
        The number of questions.
    """
    asked = [question for episode in episodes for question in candidates(episode)]
    wanted = -(-count // OPTIONS)
    groups: dict[frozenset[str], Group] = {}
    for _ in range(ROUNDS):
        if len(groups) < wanted:
            rng.shuffle(asked)
            found = grouped(asked, OPTIONS, wanted, rng, _clash)
            groups |= {frozenset(question.answer for question in group): group for group in found}
    rows = [row for group in list(groups.values())[:wanted] for row in _rows(group, films)]
    rng.shuffle(rows)
    write_json(out / "EgoPlan_validation.json", [{"sample_id": number, **row} for number, row in enumerate(rows)])
    return len(rows)


def frame(episode: Episode, time: float) -> int:
    """The number of the frame displayed at a moment, in the source's own frame rate and counting.

    Args:
        episode: An episode at ``EPIC_FPS`` or ``EGO4D_FPS``.
        time: Seconds from its start.
    """
    rate = Fraction(episode.fps).limit_denominator(1001)
    return math.floor(time * rate) + (0 if episode.fps == EGO4D_FPS else 1)


def _rows(group: Group, films: Films) -> Iterator[dict[str, object]]:
    choices = {f"choice_{'abcd'[number]}": question.answer for number, question in enumerate(group)}
    for number, question in enumerate(group):
        episode = question.episode
        epic = episode.fps == EPIC_FPS
        video = video_name(episode) if epic else uid("ego4d", episode.number)
        films.whole(episode, f"egoplan/{participant(episode)}/{video}.MP4" if epic else f"egoplan/{video}.mp4")
        yield {
            "video_source": "EpicKitchens" if epic else "Ego4D",
            "video_id": video,
            "task_goal": episode.goal,
            "question": question.text,
            **choices,
            "golden_choice_idx": "ABCD"[number],
            "answer": question.answer,
            "current_observation_frame": frame(episode, question.start - GLANCE),
            "task_progress_metadata": [
                {
                    "narration_text": telegram(step),
                    "start_frame": frame(episode, step.start),
                    "stop_frame": frame(episode, step.end),
                }
                for step in past(question)
            ],
        }
