"""Runs over a gallery against one another: paired by clip, with numbers by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from egobench.compare import compare
from egobench.dataset.galleries import gallery_of
from egobench.errors import SampleSetError, StoreError
from egobench.evaluate import evaluate
from egobench.metrics import Outcome
from egobench.metrics.gallery import TableMetric
from egobench.model import ModelInfo, Prompt
from egobench.plugins import load_task
from egobench.retrieval.influence import gallery_influence
from egobench.retrieval.tables import ScoreTable, TableSamples
from egobench.run.spec import Settings
from egobench.statistics import paired
from egobench.statistics.resampling import Influence
from tests.coloured import Coloured, Planted

MAP = "epic-kitchens-mir/all/gallery/gallery/mAP"
SECOND = sum(1 / rank for rank in range(2, 9)) / 7
"""Average precision of a clip for which a wrong caption leads, and the right one is tied with the six others."""


class Confused(Planted):
    """Takes the first clips for the ones behind them."""

    def __init__(self, clips: int) -> None:
        super().__init__()
        self.info, self._clips = ModelInfo(f"confused-{clips}", "1", frames=Planted.info.frames), clips

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        own = super().encode_clips(prompts)
        return np.stack([np.roll(row, 1) if row.argmax() < self._clips else row for row in own])


def test_runs_over_a_gallery_are_paired_by_clip(coloured: Coloured) -> None:
    """By hand: the second run loses 1 - SECOND on three of eight clips; the test is that of these eight values."""
    runs = [
        evaluate(model, [coloured.sample_set], coloured.videos, coloured.root / "runs").path
        for model in (Planted(), Confused(3))
    ]
    comparison = compare(runs, coloured.data)
    (score,) = comparison.scores
    assert (score.id, score.headline, comparison.problems, comparison.family) == (MAP, True, {}, 1)
    assert score.values == pytest.approx((1.0, (5 + 3 * SECOND) / 8))
    values = [SECOND if number < 3 else 1.0 for number in range(8)]
    expected = paired([1.0] * 8, values, [sample.cluster for sample in coloured.sample_set.samples])
    (test,) = score.tests
    for field in ("effect", "se", "low", "high", "p", "detectable"):
        assert getattr(test, field) == pytest.approx(getattr(expected, field), abs=1e-12), field
    assert (test.n, test.clusters) == (8, 8)
    names = [score.id.rpartition("/")[2] for score in compare(runs, coloured.data, everything=True).scores]
    assert names == ["mAP", "nDCG"]


def test_three_runs_over_a_gallery_are_ranked(coloured: Coloured) -> None:
    runs = [
        evaluate(model, [coloured.sample_set], coloured.videos, coloured.root / "runs").path
        for model in (Planted(), Confused(8), Confused(1))
    ]
    (score,) = compare(runs, coloured.data).scores
    assert [ranks and (ranks.best, ranks.worst) for ranks in score.ranks] == [(1, 2), (3, 3), (1, 2)]


def test_runs_over_other_clips_of_a_gallery_are_not_compared(coloured: Coloured) -> None:
    whole, part = (
        evaluate(model, [coloured.sample_set], coloured.videos, coloured.root / "runs", Settings(limit=limit)).path
        for model, limit in ((Planted(), None), (Confused(3), 3))
    )
    with pytest.raises(SampleSetError, match="runs over different samples"):
        compare([whole, part], coloured.data)


def test_a_run_that_is_not_finished_is_not_compared(coloured: Coloured) -> None:
    first, second = (
        evaluate(model, [coloured.sample_set], coloured.videos, coloured.root / "runs").path
        for model in (Planted(), Confused(3))
    )
    (lines,) = (second / "predictions").glob("*.jsonl")
    lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:5]))
    with pytest.raises(StoreError, match="is not finished: 5 of 8 samples"):
        compare([first, second], coloured.data)


def test_a_class_wise_metric_is_compared_by_leaving_out_one_video_at_a_time(coloured: Coloured) -> None:
    """What the metric is without each video is computed here by taking its row away."""
    metric = load_task("charades-ego").galleries["gallery157"].metrics["mAP"]
    assert isinstance(metric, TableMetric)
    rng, samples = np.random.default_rng(5), coloured.sample_set.samples
    outcomes: list[Outcome] = ["answered"] * len(samples)
    relevance = gallery_of(coloured.sample_set).relevance(samples, coloured.sample_set.gallery)
    tables = [ScoreTable(rng.random((8, 8)), TableSamples(list(samples), outcomes)) for _ in range(2)]
    influence = Influence.beside([gallery_influence(metric, table, relevance) for table in tables])
    values = np.array([metric.value(table.scores, relevance) for table in tables])
    order = np.argsort([sample.cluster for sample in samples])
    without = [[row for row in range(8) if row != left_out] for left_out in order]
    rest = np.array([[metric.value(table.scores[rows], relevance[rows]) for table in tables] for rows in without])
    apart = (values - rest) @ [1, -1] * 7 / 8
    apart -= apart.mean()
    test = influence.paired(0, 1, n=8)
    assert test.effect == pytest.approx(values[0] - values[1])
    assert test.se == pytest.approx(np.sqrt(8 / 7 * (apart**2).sum()))
