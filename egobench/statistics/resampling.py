"""Several runs under one resampling of source videos: what differences, ranks and averages of any metric rest on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from egobench.metrics import MeanMetric, Metric, ScoredSample, SetMetric
from egobench.sample import Sample
from egobench.statistics.clustered import around
from egobench.statistics.estimates import Estimate
from egobench.statistics.pairs import PairedTest, paired, t_test

REPLICATES = 1000
"""Of every resampling: they know a standard error to 2.2 %."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """A number of several runs, and what it would have been with other videos, the same ones for all runs.

    Attributes:
        values: ``(n_runs,)``.
        replicates: ``(n_replicates, n_runs)``, a row for each draw of clusters with replacement.
        n: Number of samples.
        clusters: Number of clusters, one more than the degrees of freedom.
        least: The least value that the number can have.
    """

    values: np.ndarray
    replicates: np.ndarray
    n: int
    clusters: int
    least: float = 0.0

    def estimate(self, run: int) -> Estimate:
        """The number of one run. The interval is around the number itself, for replicates of mAP are biased."""
        value = float(self.values[run])
        if self.clusters < 2:
            return Estimate(value, None, None, None, self.n, self.clusters)
        return around(value, float(self.replicates[:, run].std(ddof=1)), self.n, self.clusters, least=self.least)

    def difference(self, first: int, second: int) -> PairedTest:
        """One run minus another, with the error of that difference over the replicates."""
        effect = float(self.values[first] - self.values[second])
        apart = self.replicates[:, first] - self.replicates[:, second]
        se = float(apart.std(ddof=1)) if self.clusters > 1 else None
        return t_test(effect, se, n=self.n, clusters=self.clusters)


@dataclass(frozen=True, slots=True)
class Influence:
    """What each cluster adds to a number of several runs, to first order.

    Attributes:
        values: ``(n_runs,)``.
        by_cluster: ``(n_clusters, n_runs)``, columns sum to 0; for a mean ``sum_{i in c} (x_i - mean) / n``. The
            squared error of a run is C / (C - 1) times the sum of the squares of its column.
        shares: ``(n_clusters,)``, share of each cluster in the samples; sums to 1.
        clusters: Names of the clusters, sorted; an average needs them.
    """

    values: np.ndarray
    by_cluster: np.ndarray
    shares: np.ndarray
    clusters: tuple[str, ...] = ()

    @classmethod
    def of_means(cls, by_sample: np.ndarray, sizes: np.ndarray, clusters: tuple[str, ...]) -> Influence:
        """Of means over samples.

        Args:
            by_sample: ``(n_samples, n_runs)``, values of the samples, sorted by cluster.
            sizes: ``(n_clusters,)``, samples of each cluster, at least 1.
            clusters: Names of the clusters, sorted.
        """
        values, starts = _means(by_sample), np.cumsum(sizes) - sizes
        by_cluster = np.add.reduceat(by_sample - values, starts, axis=0) / len(by_sample)
        return cls(values, by_cluster, sizes / sizes.sum(), clusters)

    @classmethod
    def of_rest(cls, values: np.ndarray, rest: np.ndarray, sizes: np.ndarray, clusters: tuple[str, ...]) -> Influence:
        """Of numbers that are defined on all samples at once, by leaving out one cluster at a time (jackknife).

        Args:
            values: ``(n_runs,)``, the number of each run.
            rest: ``(n_clusters, n_runs)``, the number without each cluster.
            sizes: ``(n_clusters,)``, samples of each cluster.
            clusters: Names of the clusters, sorted.
        """
        shares = sizes / sizes.sum()
        if len(sizes) < 2:
            return cls(values, np.zeros((1, len(values))), shares, clusters)
        by_cluster = (values - rest) * (1 - shares[:, None])
        return cls(values, by_cluster - shares[:, None] * by_cluster.sum(axis=0), shares, clusters)

    @classmethod
    def beside(cls, runs: Sequence[Influence]) -> Influence:
        """Of runs over the same samples, side by side."""
        values = np.concatenate([run.values for run in runs])
        by_cluster = np.concatenate([run.by_cluster for run in runs], axis=1)
        return cls(values, by_cluster, runs[0].shares, runs[0].clusters)

    def paired(self, first: int, second: int, *, n: int) -> PairedTest:
        """One run against another: t of the squared error of what the clusters add to their difference.

        Args:
            first: Place of a run.
            second: Place of another.
            n: Number of samples.
        """
        count = len(self.shares)
        apart = self.by_cluster[:, first] - self.by_cluster[:, second]
        se = math.sqrt(count / (count - 1) * float(apart @ apart)) if count > 1 else None
        return t_test(float(self.values[first] - self.values[second]), se, n=n, clusters=count)

    def of_runs(self, places: Sequence[int]) -> Influence:
        """The influence of some of the runs."""
        chosen = list(places)
        return Influence(self.values[chosen], self.by_cluster[:, chosen], self.shares, self.clusters)


@dataclass(frozen=True, slots=True)
class Column:
    """A number of several runs that were asked the same samples.

    Made by :func:`column` of scored samples in any order, and by ``SampleValues.column`` of
    :mod:`egobench.scoring.sample_values` of values that were read run by run, which are sorted already.

    Attributes:
        metric: The metric.
        runs: What became of the samples, one list a run, all in the order of ``samples``.
        samples: Sorted by cluster and id.
        by_sample: ``(n_samples, n_runs)``, values of the samples; empty for a metric of all samples at once.
        clusters: Names of the clusters, sorted.
        sizes: ``(n_clusters,)``, samples of each.
    """

    metric: Metric
    runs: tuple[tuple[ScoredSample, ...], ...]
    samples: tuple[Sample, ...]
    by_sample: np.ndarray
    clusters: tuple[str, ...]
    sizes: np.ndarray

    def values(self) -> np.ndarray:
        """The number of each run, ``(n_runs,)``."""
        if isinstance(self.metric, SetMetric):
            return np.array([self.metric.value(run) for run in self.runs])
        return _means(self.by_sample)

    def replicates(self, drawn: np.ndarray) -> np.ndarray:
        """The number of each run over draws of clusters.

        Args:
            drawn: ``(n_replicates, n_clusters)`` integers, how often each cluster was drawn.

        Returns:
            ``(n_replicates, n_runs)``.
        """
        if isinstance(self.metric, MeanMetric):
            return means(self.by_sample, self.sizes, drawn)
        codes, positions = np.repeat(np.arange(len(self.sizes)), self.sizes), np.arange(len(self.samples))
        rows: list[list[float]] = []
        for row in drawn:
            picked = np.repeat(positions, row[codes]).tolist()
            rows.append([self.metric.value([run[position] for position in picked]) for run in self.runs])
        return np.array(rows)

    def resampled(self, *, seed: int = 0) -> Resampled:
        """The number of each run under a resampling of its clusters."""
        drawn = draw(len(self.clusters), REPLICATES, np.random.default_rng(seed))
        least = self.metric.least if isinstance(self.metric, MeanMetric) else 0.0
        return Resampled(self.values(), self.replicates(drawn), len(self.samples), len(self.clusters), least)

    def influence(self) -> Influence:
        """What each cluster adds; by leaving it out where the metric is one of all samples at once."""
        if isinstance(self.metric, MeanMetric):
            return Influence.of_means(self.by_sample, self.sizes, self.clusters)
        rest = np.stack([values_without(self.metric, run, self.sizes.tolist()) for run in self.runs], axis=1)
        return Influence.of_rest(self.values(), rest, self.sizes, self.clusters)

    @property
    def at_once(self) -> bool:
        """Whether the metric is one of all samples at once, so that its errors come from resampling."""
        return isinstance(self.metric, SetMetric)

    def paired(self, first: int, second: int, resampled: Resampled | None = None) -> PairedTest:
        """One run against another: clustered t of the samples' differences, or of the number resampled.

        Args:
            first: Place of a run.
            second: Place of another.
            resampled: :meth:`resampled`, where the metric is one of all samples at once and it was computed before.
        """
        if self.at_once:
            return (resampled or self.resampled()).difference(first, second)
        clusters = [sample.cluster for sample in self.samples]
        return paired(self.by_sample[:, first].tolist(), self.by_sample[:, second].tolist(), clusters)


def column(metric: Metric, runs: Sequence[Sequence[ScoredSample]]) -> Column:
    """Put runs side by side.

    Args:
        metric: The metric.
        runs: One list a run, in any order.

    Raises:
        ValueError: If there is nothing to compare, or the runs are not about the same samples.
    """
    ordered = [sorted(run, key=lambda scored: (scored.sample.cluster, scored.sample.id)) for run in runs]
    samples = tuple(scored.sample for scored in ordered[0]) if ordered else ()
    if not samples:
        raise ValueError("no samples to compare")
    if any(tuple(scored.sample for scored in run) != samples for run in ordered):
        raise ValueError("the runs are not about the same samples")
    by_sample = np.empty((len(samples), 0))
    if isinstance(metric, MeanMetric):
        by_sample = np.array([[metric.value(scored) for scored in run] for run in ordered]).T
    names, sizes = np.unique([sample.cluster for sample in samples], return_counts=True)
    return Column(metric, tuple(map(tuple, ordered)), samples, by_sample, tuple(names.tolist()), sizes)


def _means(by_sample: np.ndarray) -> np.ndarray:
    """The mean of each run, ``(n_runs,)``, rounded once."""
    return np.array([math.fsum(run.tolist()) / len(run) for run in by_sample.T])


def values_without(metric: SetMetric, scored_samples: Sequence[ScoredSample], sizes: Sequence[int]) -> np.ndarray:
    """The values of a metric without each of consecutive clusters.

    Args:
        metric: The metric.
        scored_samples: Samples sorted by cluster.
        sizes: Samples of each cluster.

    Returns:
        ``(n_clusters,)``; NaN where there is but one cluster.
    """
    if len(sizes) < 2:
        return np.full(len(sizes), np.nan)
    if metric.without is not None:
        return metric.without(scored_samples, sizes)
    ends = [*accumulate(sizes, initial=0)]
    return np.array([metric.value([*scored_samples[:start], *scored_samples[end:]]) for start, end in pairwise(ends)])


def draw(n_clusters: int, n_replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many clusters as there are, with replacement, and count how often each came.

    Returns:
        ``(n_replicates, n_clusters)`` integers; each row sums to ``n_clusters``.
    """
    drawn = rng.integers(n_clusters, size=(n_replicates, n_clusters))
    drawn += n_clusters * np.arange(n_replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_replicates * n_clusters).reshape(n_replicates, n_clusters)


def means(by_sample: np.ndarray, sizes: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Means over drawn clusters.

    Args:
        by_sample: ``(n_samples, n_runs)``, sorted by cluster.
        sizes: ``(n_clusters,)``, samples of each cluster, at least 1.
        drawn: ``(n_replicates, n_clusters)`` integers, at least one of each row above 0.

    Returns:
        ``(n_replicates, n_runs)``.
    """
    sums = np.add.reduceat(by_sample, np.cumsum(sizes) - sizes, axis=0)
    weights = drawn.astype(np.float64)
    drawn_means: np.ndarray = (weights @ sums) / (weights @ sizes)[:, None]
    return drawn_means
