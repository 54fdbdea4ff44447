"""What runs made of the samples of one part, reduced to a value per sample as each run is read.

Thirty runs of forty thousand samples are three million scores; what they are compared by is one number per sample, run
and metric, and the clusters, which all runs share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from egobench.errors import ModelError, StoreError
from egobench.metrics import MeanMetric, Metric, ScoredSample, values_of
from egobench.run.records import Prediction
from egobench.run.store import Run
from egobench.sample import Sample
from egobench.scoring.row_kinds import ScoredRows, row_kinds
from egobench.scoring.score import score_samples
from egobench.statistics.resampling import Column

Unsealing = Callable[[Mapping[str, Prediction]], Mapping[str, Prediction]]
"""Gives the predictions of a run their replies back, where these came sealed."""


@dataclass(frozen=True, slots=True)
class RunValues:
    """What one run made of the samples of a part.

    Attributes:
        by_sample: ``(n_samples,)`` values by metric, for metrics that give every sample one.
        scored_samples: The samples with their scores, where some metric is one of all samples at once; else empty.
        problems: Why a metric gives no values, by metric: its package is not installed.
    """

    by_sample: Mapping[str, np.ndarray]
    scored_samples: tuple[ScoredSample, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict[str, str])


class SampleValues:
    """Reads what runs made of the same samples.

    Attributes:
        samples: The samples, sorted by cluster and id: the order of all values.

    Args:
        samples: At least one sample of one part, in any order.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(sorted(samples, key=lambda sample: (sample.cluster, sample.id)))
        names, self._sizes = np.unique([sample.cluster for sample in self.samples], return_counts=True)
        self._clusters: tuple[str, ...] = tuple(names.tolist())

    def read(
        self, run: Run, part: str, metrics: Mapping[str, Metric], *, unsealing: Unsealing | None = None
    ) -> RunValues:
        """Read what a run made of the samples, and keep of it what its metrics need.

        Args:
            run: The run.
            part: ``<task>.<subset>.<protocol>.<construction>``.
            metrics: By name.
            unsealing: What is done to its predictions before their replies are scored.

        Raises:
            StoreError: If a row is damaged, or some samples have none.
        """
        quick = {
            name: metric for name, metric in metrics.items() if isinstance(metric, MeanMetric) and metric.of_scores
        }
        if len(quick) == len(metrics):
            return RunValues(self._quick_values(run, part, quick))
        predictions = run.predictions(part)
        scored_samples = score_samples(self.samples, unsealing(predictions) if unsealing else predictions)
        self._check_finished(run, part, len(scored_samples))
        by_sample: dict[str, np.ndarray] = {}
        problems: dict[str, str] = {}
        for name, metric in metrics.items():
            if not isinstance(metric, MeanMetric):
                continue
            try:
                by_sample[name] = np.array(values_of(metric, scored_samples))
            except ModelError as error:
                problems[name] = str(error)
        at_once = any(not isinstance(metric, MeanMetric) for metric in metrics.values())
        return RunValues(by_sample, tuple(scored_samples) if at_once else (), problems)

    def column(self, name: str, metric: Metric, runs: Sequence[RunValues]) -> Column:
        """A metric of several runs side by side.

        Args:
            name: Its name.
            metric: The metric.
            runs: What :meth:`read` made of each run, at least one.

        Raises:
            ModelError: If the metric gives no values.
        """
        problem = next((run.problems[name] for run in runs if name in run.problems), "")
        if problem:
            raise ModelError(problem)
        by_sample = np.empty((len(self.samples), 0))
        if isinstance(metric, MeanMetric):
            by_sample = np.stack([run.by_sample[name] for run in runs], axis=1)
        scored_samples = tuple(run.scored_samples for run in runs)
        return Column(metric, scored_samples, self.samples, by_sample, self._clusters, self._sizes)

    @cached_property
    def _alike(self) -> np.ndarray:
        """``(n_samples,)`` integers: two are equal if scores in the same order give both samples equal values."""
        numbers: dict[tuple[object, ...], int] = {}
        keys = ((sample.target, sample.relevance, len(sample.options)) for sample in self.samples)
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys])

    def _quick_values(self, run: Run, part: str, metrics: Mapping[str, MeanMetric]) -> dict[str, np.ndarray]:
        """Read rows no further than needed, and compute a value once for all samples that are alike."""
        rows = ScoredRows.of(run.scored_rows(part), self.samples)
        self._check_finished(run, part, rows.n_read)
        _, first, kind_of = np.unique(row_kinds(rows, self._alike), return_index=True, return_inverse=True)
        values: dict[str, list[float]] = {name: [] for name in metrics}
        places: list[int] = first.tolist()
        for place in places:
            sample = self.samples[place]
            (scored,) = score_samples([sample], {sample.id: rows.prediction(place, sample.id)})
            for name, metric in metrics.items():
                values[name].append(metric.value(scored))
        return {name: np.array(of_kinds)[kind_of] for name, of_kinds in values.items()}

    def _check_finished(self, run: Run, part: str, count: int) -> None:
        if count < len(self.samples):
            raise StoreError(
                f"{run.path} is not finished: {count} of {len(self.samples)} samples of {part} were asked; "
                "run its command again"
            )
