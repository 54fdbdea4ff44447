"""OpenEQA: open questions about places, states and order in folders of frames, for training.

Walks stand for its HM3D histories, activities for its ScanNet histories. Questions with one text have every answer
equally often: yes and no, or four of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from egobench.miniego.official import egotaskqa, vlnqa
from egobench.miniego.official.files import Films, uid, write_json
from egobench.miniego.official.questions import Question, grouped
from egobench.miniego.world.episode import Episode
from egobench.miniego.world.simulate import TrainingEpisodes

MOST_TAKES: Final = 200
MOST_WALKS: Final = 400
"""Most histories of either kind: OpenEQA has 152 in all."""
TAKE_FPS: Final = 1.0
MOST_PER_HISTORY: Final = 12
CATEGORIES: Final = {
    "door-place": "object localization",
    "door-colour": "spatial understanding",
    "open": "object state recognition",
    "before": "object state recognition",
    "without": "functional reasoning",
    "placed": "object localization",
    "order": "world knowledge",
}
"""Category of each kind of question."""


def candidates(episode: Episode) -> Iterator[Question]:
    """Make every question about the doors of a walk, or every one to be answered with yes or no about an activity."""
    if episode.kind == "walk":
        return vlnqa.doors(episode)
    return (question for question in egotaskqa.candidates(episode) if question.tags["structural"] == "verify")


def write(out: Path, episodes: TrainingEpisodes, rng: Random, films: Films) -> int:
    """Write ``data/open-eqa-v0.json``.

    Args:
        out: Folder of the annotations.
        episodes: Episodes of the split train or val.
        rng: The source of every choice.
        films: List of the videos to render; folders of frames are added.

    Returns:
        Number of questions.
    """
    chosen: list[Question] = []
    for histories, options in ((episodes.takes[:MOST_TAKES], 2), (episodes.walks[:MOST_WALKS], 4)):
        questions = [question for episode in histories for question in candidates(episode)]
        limit = len(histories) * MOST_PER_HISTORY // options
        chosen += [question for group in grouped(questions, options, limit, rng) for question in group]
    rng.shuffle(chosen)
    write_json(out / "data" / "open-eqa-v0.json", [_row(number, question) for number, question in enumerate(chosen)])
    for episode in {question.episode.number: question.episode for question in chosen}.values():
        fps = episode.fps if episode.kind == "walk" else TAKE_FPS
        films.frames(episode, f"open-eqa/data/frames/{_history(episode)}", fps)
    return len(chosen)


def _row(number: int, question: Question) -> dict[str, object]:
    return {
        "question": question.text,
        "answer": question.answer,
        "category": CATEGORIES[question.template],
        "question_id": uid("openeqa", number, question.episode.split, question.episode.number, question.text),
        "episode_history": _history(question.episode),
    }


def _history(episode: Episode) -> str:
    if episode.kind == "walk":
        return f"hm3d-v0/{episode.number:05d}-hm3d-miniego-{episode.split}"
    return f"scannet-v0/{episode.number:05d}-scannet-miniego-{episode.split}"
