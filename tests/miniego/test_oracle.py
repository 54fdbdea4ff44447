"""All questions of MiniEgo can be answered from the frames alone, by who can read them; and not from other frames."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.asking import Settings
from egobench.build import build
from egobench.distractors.embedding import SentenceEmbedder
from egobench.evaluate import evaluate
from egobench.miniego import generate
from egobench.plugins import TASKS, load_task, names
from egobench.sampleset import SampleSet
from tests.miniego.oracle import Oracle


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("miniego")
    generate(out, "small", timecode=True)
    return out


@pytest.fixture(scope="module")
def sets(world: Path) -> list[SampleSet]:
    embedder = SentenceEmbedder()
    return [
        build(task, Annotations(world / "annotations" / task.name), embedder, construction=construction)
        for task in map(load_task, names(TASKS))
        for construction in task.constructions
    ]


def _within_chance(sample_set: SampleSet, subset: str, accuracy: float) -> bool:
    """Whether an accuracy lies in the 99.9 % interval of guessing, where yes/no questions are two-way."""
    samples = [sample for sample in sample_set.samples if sample.subset == subset]
    shares = [1 / (2 if {"yes", "no"} <= set(sample.options) else len(sample.options)) for sample in samples]
    spread = sqrt(sum(share * (1 - share) for share in shares))
    return abs(accuracy * len(samples) - sum(shares)) <= 3.3 * spread


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_log_answers_every_question_from_the_frames(world: Path, sets: list[SampleSet], tmp_path: Path) -> None:
    oracle = Oracle(world / "log.jsonl")
    result = evaluate(oracle, sets, world / "videos", tmp_path)
    wrong = {key: entry["value"] for key, entry in result.scores.items() if "/acc/" in key and entry["value"] != 1.0}
    assert wrong == {}
    assert oracle.guesses == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_frames_of_other_videos_answer_nothing(world: Path, sets: list[SampleSet], tmp_path: Path) -> None:
    oracle = Oracle(world / "log.jsonl")
    result = evaluate(oracle, sets, world / "videos", tmp_path, Settings(control="other-video"))
    far: dict[str, float] = {}
    for key, entry in result.scores.items():
        task, subset, _, construction, metric, *_ = key.split("/")
        if metric == "acc":
            its = next(
                each for each in sets if (each.manifest.task, each.manifest.construction) == (task, construction)
            )
            if not _within_chance(its, subset, entry["value"]):
                far[key] = entry["value"]
    assert far == {}
