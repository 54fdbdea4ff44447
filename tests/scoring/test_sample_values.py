"""Values of samples, run after run: against the metric of every sample by itself, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from egobench.errors import ModelError, StoreError
from egobench.metrics import MeanMetric, Metric, ScoredSample
from egobench.metrics.accuracy import accuracy
from egobench.metrics.ranking import options_class_map, single_positive_ap
from egobench.run.records import Prediction
from egobench.run.spec import RunSpec, SetRef
from egobench.run.store import Run, open_run
from egobench.sample import Sample
from egobench.scoring.sample_values import SampleValues
from egobench.scoring.score import score_samples
from tests.metrics.samples import choice

PART = "vln-qa.all.mcq.official"
SPEC = RunSpec(
    {"name": "toy", "revision": "1"}, (SetRef("vln-qa", 1, "official", "0" * 64),),
    *("base@0", {}, "generate", None, None, 0, "0.1.0"),
)  # fmt: skip
METRICS: dict[str, Metric] = {"acc": accuracy, "AP": single_positive_ap}


def drawn_samples(n: int) -> list[Sample]:
    """Samples with two to five options, some alike, in an order that is not that of their clusters."""
    rng = np.random.default_rng(0)
    scored_samples = [
        choice([0.0] * width, int(rng.integers(width)), "abcde"[:width], cluster=f"v{number % 7}", name=f"q{number}")
        for number, width in enumerate(rng.integers(2, 6, size=n).tolist())
    ]
    return [scored.sample for scored in scored_samples]


def answered(sample: Sample, rng: np.random.Generator) -> Prediction:
    """An answer with scores of three values, so that many tie, or none at all."""
    if rng.random() < 0.2:
        return Prediction(sample.id, "unparsed")
    scores = tuple(rng.choice([-1.5, 0.0, 2.0], size=len(sample.options)).tolist())
    top = scores.index(max(scores)) if scores.count(max(scores)) == 1 else None
    return Prediction(sample.id, "answered", choice=top, scores=scores)


def finished_run(folder: Path, predictions: Sequence[Prediction]) -> Run:
    with open_run(folder, SPEC, {}) as run:
        run.append(PART, predictions)
    return run


def test_a_value_that_is_computed_once_for_all_samples_alike_is_that_of_each_of_them(tmp_path: Path) -> None:
    samples, rng = drawn_samples(300), np.random.default_rng(1)
    run = finished_run(tmp_path, [answered(sample, rng) for sample in samples])
    values = SampleValues(samples)
    ordered = sorted(samples, key=lambda sample: (sample.cluster, sample.id))
    scored_samples = score_samples(ordered, run.predictions(PART))
    by_sample = values.read(run, PART, METRICS).by_sample
    assert list(values.samples) == ordered
    assert by_sample["acc"].tolist() == [accuracy.value(scored) for scored in scored_samples]
    assert by_sample["AP"].tolist() == [single_positive_ap.value(scored) for scored in scored_samples]


def test_a_metric_of_all_samples_at_once_keeps_them_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    samples, rng = drawn_samples(60), np.random.default_rng(2)
    run = finished_run(tmp_path, [answered(sample, rng) for sample in samples])
    values = SampleValues(samples)
    alone, beside = (values.read(run, PART, metrics) for metrics in (METRICS, {**METRICS, "mAP": options_class_map}))
    assert alone.scored_samples == ()
    assert [scored.sample for scored in beside.scored_samples] == list(values.samples)
    assert beside.by_sample["acc"].tolist() == alone.by_sample["acc"].tolist()
    column = values.column("mAP", options_class_map, [beside, beside])
    assert column.values().tolist() == [options_class_map.value(beside.scored_samples)] * 2


def test_a_metric_whose_package_is_missing_costs_no_other(tmp_path: Path) -> None:
    def missing(scored: ScoredSample) -> float:
        raise ModelError(f"{scored.sample.id} needs a package")

    samples, rng = drawn_samples(20), np.random.default_rng(3)
    run = finished_run(tmp_path, [answered(sample, rng) for sample in samples])
    values, metrics = SampleValues(samples), {"acc": accuracy, "missing": MeanMetric("mcq", missing)}
    of_run = values.read(run, PART, metrics)
    assert values.column("acc", accuracy, [of_run]).by_sample.shape == (20, 1)
    with pytest.raises(ModelError, match="needs a package"):
        values.column("missing", metrics["missing"], [of_run])


@pytest.mark.parametrize("metrics", [METRICS, {"mAP": options_class_map}], ids=["by sample", "at once"])
def test_a_run_that_is_not_finished_or_contradicts_itself_is_refused(
    tmp_path: Path, metrics: dict[str, Metric]
) -> None:
    samples, rng = drawn_samples(20), np.random.default_rng(4)
    predictions = [answered(sample, rng) for sample in samples]
    with pytest.raises(StoreError, match="is not finished: 19 of 20 samples"):
        SampleValues(samples).read(finished_run(tmp_path / "short", predictions[1:]), PART, metrics)
    foreign = replace(predictions[0], outcome="answered", scores=(1.0,) * 7)
    with pytest.raises(StoreError, match=f"sample {samples[0].id!r} has 7 scores"):
        SampleValues(samples).read(finished_run(tmp_path / "odd", [foreign, *predictions[1:]]), PART, metrics)
