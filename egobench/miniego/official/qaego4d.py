"""QAEgo4D: where things went, what colour they have, how often something happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from random import Random

from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Group, Question, Story, shuffled_rows
from egobench.miniego.world.captions import COUNTS
from egobench.miniego.world.episode import Episode

OPTIONS = 4
CLIP_FPS = 30
"""Moments are in frames of clip seconds x 30, whatever the frame rate of the file."""


def candidates(episode: Episode) -> Iterator[Question]:
    """Every question that QAEgo4D could ask about an episode."""
    story = Story(episode)
    return chain(_colours(story), _places(story), _counts(story), _hands(story), _objects(story))


def _colours(story: Story) -> Iterator[Question]:
    """What colour is the cup I put in the fridge?"""
    puts = story.of("put")
    for step in story.only(puts, lambda step: (story.nouns[step.thing], step.other)):
        text = f"What colour is the {story.nouns[step.thing]} I put {story.where(step)}?"
        yield story.ask("colour", text, story.colours[step.thing], [step])


def _places(story: Story) -> Iterator[Question]:
    """Where did I put the blue book, and where had it been?"""
    for step in story.only(story.of("put"), lambda step: step.thing):
        yield story.ask("put", f"Where did I put {story.phrases[step.thing]}?", story.where(step), [step])
    for step in story.only(story.of("take"), lambda step: step.thing):
        text = f"Where was {story.phrases[step.thing]} before I took it?"
        yield story.ask("source", text, story.where(step), [step])


def _counts(story: Story) -> Iterator[Question]:
    """How many times did I shake the box?"""
    shakes = story.of("shake")
    for thing in dict.fromkeys(step.thing for step in shakes):
        about = [step for step in shakes if step.thing == thing]
        text = f"How many times did I shake {story.phrases[thing]}?"
        yield story.ask("count", text, COUNTS[len(about)], about)
    opens = story.of("open")
    if len(opens) < len(COUNTS):
        yield story.ask("opens", "How many times did I open something?", COUNTS[len(opens)], opens)


def _hands(story: Story) -> Iterator[Question]:
    """Which hand did I use to take the blue book, and where from?"""
    for step in story.only(story.of("take"), lambda step: step.thing):
        text = f"Which hand did I use to take {story.phrases[step.thing]}, and where from?"
        answer = f"my {step.hand} hand, from the {story.nouns[str(step.other)]}"
        yield story.ask("hand", text, answer, [step])


def _objects(story: Story) -> Iterator[Question]:
    """What did I put in the fridge, what did I wash, what did I take first?"""
    for step in story.only(story.of("put"), lambda step: step.other):
        yield story.ask("what-put", f"What did I put {story.where(step)}?", story.phrases[step.thing], [step])
    for verb in ("wash", "fold", "read", "cut", "stir", "throw"):
        about = story.of(verb)
        if len({step.thing for step in about}) == 1:
            text = f"What did I {verb}{' away' if verb == 'throw' else ''}?"
            yield story.ask(f"what-{verb}", text, story.phrases[about[0].thing], about)
    for name, step in (("first", story.of("take")[0]), ("last", story.of("take")[-1])):
        yield story.ask(f"{name}-taken", f"What did I take {name}?", story.phrases[step.thing], [step])


def write(out: Path, episodes: Sequence[Episode], count: int, rng: Random, films: Films) -> int:
    """Write the open and the closed test file, with the same questions.

    Args:
        out: Folder of the annotations.
        episodes: Activity episodes.
        count: Questions, rounded up to whole groups.
        rng: The source of every choice.
        films: List of the videos to render; these are added.

    Returns:
        Number of questions.
    """
    questions = (question for episode in episodes for question in candidates(episode))
    rows = shuffled_rows(questions, OPTIONS, count, rng, lambda group: _rows(group, films))
    write_json(out / "annotations.QaEgo4D_test_close.json", rows)
    write_json(
        out / "annotations.QaEgo4D_test.json",
        [{key: value for key, value in row.items() if key != "wrong_answers"} for row in rows],
    )
    return len(rows)


def _rows(group: Group, films: Films) -> Iterator[dict[str, object]]:
    for number, question in enumerate(group):
        episode = question.episode
        clip = uid("clip", episode.number)
        films.whole(episode, f"qaego4d/{clip}.mp4")
        wrong = [other.answer for other in (*group[number + 1 :], *group[:number])]
        annotation = uid("qaego4d", episode.number, question.text, *sorted(wrong))
        yield {
            "video_id": clip,
            "sample_id": f"{annotation}_{number}",
            "question": question.text,
            "answer": question.answer,
            "moment_start_frame": round(question.start * CLIP_FPS, 3),
            "moment_end_frame": round(question.end * CLIP_FPS, 3),
            "video_uid": uid("ego4d", episode.number),
            "video_start_sec": question.start,
            "video_end_sec": question.end,
            "video_start_frame": round(question.start * CLIP_FPS),
            "video_end_frame": round(question.end * CLIP_FPS),
            "wrong_answers": wrong,
        }
