"""Errors, intervals and tests of scores. Samples of one cluster are not independent, and are never treated as if.

:func:`estimate` is the one way from scored samples to a printed number, and :func:`chance` the number beside it. The
difference of two runs over the same samples comes, with its error, from

* :func:`paired` for a metric that gives every sample a value (:class:`egobench.metrics.MeanMetric`): from the samples'
  differences, summed by cluster;
* ``Resampled.difference`` for a metric of all samples at once (:class:`egobench.metrics.SetMetric`) and for averages of
  several metrics: from other draws of the clusters, the same ones for both runs (:mod:`.resampling`);
* ``Influence.paired`` for the metrics of a gallery and on a board, where not every run is in memory at once: from what
  each cluster adds to either run. That is the error of :func:`paired` where the metric is a mean, and a jackknife over
  clusters where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from egobench.metrics import MeanMetric, Metric, ScoredSample, values_of
from egobench.orders import orders_of
from egobench.sample import Sample
from egobench.statistics.estimates import Estimate
from egobench.statistics.pairs import PairedTest, holm, paired


def estimate(metric: Metric, scored_samples: Sequence[ScoredSample], *, seed: int = 0) -> Estimate:
    """Score samples, with a clustered error and interval. The order of the samples does not matter.

    Args:
        metric: The metric.
        scored_samples: All samples of a subset, answered or not.
        seed: Of the cluster bootstrap, for metrics that are defined on all samples at once.

    Returns:
        The score and its interval.

    Raises:
        ValueError: If there are no samples, or one that should be chosen for has no public answer.
    """
    from egobench.statistics.clustered import bootstrapped, mean  # noqa: PLC0415 - numpy and scipy

    if not scored_samples:
        raise ValueError("no samples to score")
    private = next(
        (one.sample.id for one in scored_samples if metric.protocol == "mcq" and one.sample.target is None), None
    )
    if private is not None:
        raise ValueError(f"sample {private!r} has no public answer, so it cannot be scored here")
    ordered = sorted(scored_samples, key=lambda one: (one.sample.cluster, one.sample.id))
    clusters = [one.sample.cluster for one in ordered]
    if isinstance(metric, MeanMetric):
        return mean(values_of(metric, ordered), clusters, least=metric.least)
    compute = metric.value
    return bootstrapped(lambda picked: compute([ordered[position] for position in picked]), clusters, seed=seed)


def chance(metric: Metric, samples: Sequence[Sample], *, orders: int = 1) -> float | None:
    """What a model gets that gives all options of a sample the same score.

    Args:
        metric: The metric.
        samples: At least one.
        orders: Orders of its options that every sample is asked in.

    Returns:
        The expected value; ``None`` for open questions and for samples without public answers.
    """
    if metric.protocol != "mcq" or any(sample.target is None for sample in samples):
        return None
    tied = [_tied(sample, orders) for sample in samples]
    if isinstance(metric, MeanMetric):
        return math.fsum(values_of(metric, tied)) / len(tied)
    return metric.value(tied)


def _tied(sample: Sample, orders: int) -> ScoredSample:
    further = len(orders_of(sample, orders)) - 1
    scores = (0.0,) * len(sample.options)
    return ScoredSample(sample, "answered", scores, turned=(scores,) * further)


__all__ = ["Estimate", "PairedTest", "chance", "estimate", "holm", "paired"]
