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

from egobench.miniego.official.epic import participant, video_name
from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Group, Question, Story, grouped
from egobench.miniego.world.captions import phrase, telegram
from egobench.miniego.world.episode import Episode, Step
from egobench.miniego.world.simulate import EGO4D_FPS, EPIC_FPS
from egobench.miniego.world.vocabulary import FIXTURES

OPTIONS: Final = 4
ROUNDS: Final = 8
"""How often the moments are grouped anew, so that a moment is asked about with several sets of options."""
GLANCE: Final = 0.04
"""Seconds before the next action at which it is asked for: the head has arrived, the action has not begun."""


def candidates(episode: Episode) -> Iterator[Question]:
    """Make a question of every step that the wearer turns to, but the first, and those at doors that were left open."""
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


def clash(first: Question, second: Question) -> bool:
    """Whether two moments must not share options: same fixture, or an action that the other's narrations rule out."""
    if first.tags["place"] == second.tags["place"]:
        return True
    return _ruled_out(first, second) or _ruled_out(second, first)


def _ruled_out(moment: Question, other: Question) -> bool:
    """Whether the narrations up to a moment rule out the next action of another moment."""
    steps = past(moment)
    if other.answer in {telegram(step) for step in steps}:
        return True
    in_hand = _in_hand(moment, steps)
    if bool(in_hand) != bool(_in_hand(other, past(other))):
        return True
    return bool(other.tags["handled"]) and other.tags["handled"] not in in_hand


def _in_hand(question: Question, steps: Sequence[Step]) -> set[str]:
    """Things in hand after some steps."""
    names = {thing.id: phrase(thing) for thing in question.episode.things}
    in_hand: set[str] = set()
    for step in steps:
        if step.verb == "take":
            in_hand.add(names[step.thing])
        elif step.verb in {"put", "throw"}:
            in_hand.discard(names[step.thing])
    return in_hand


def past(question: Question) -> list[Step]:
    """Steps before the next action of a question."""
    return [step for step in question.episode.steps if step.start < question.start]


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> int:
    """Write the validation file, from EPIC and from Ego4D videos.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes at ``EPIC_FPS`` or ``EGO4D_FPS``.
        count: Questions, rounded up to whole groups.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions.
    """
    moments = [question for episode in episodes for question in candidates(episode)]
    limit = -(-count // OPTIONS)
    groups: dict[frozenset[str], Group] = {}
    for _ in range(ROUNDS):
        if len(groups) < limit:
            rng.shuffle(moments)
            drawn = grouped(moments, OPTIONS, limit, rng, clash)
            groups |= {frozenset(question.answer for question in group): group for group in drawn}
    rows = [row for group in list(groups.values())[:limit] for row in _rows(group, films)]
    rng.shuffle(rows)
    write_json(out / "EgoPlan_validation.json", [{"sample_id": number, **row} for number, row in enumerate(rows)])
    return len(rows)


def frame(episode: Episode, time: float) -> int:
    """Number of the frame displayed at a moment, at the source's frame rate: EPIC counts from 1, Ego4D from 0.

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
