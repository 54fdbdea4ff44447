"""Standard errors and intervals where samples come in clusters (PROTOCOL section 5).

Where every cluster has the same score the error is 0, and no interval of t can say how sure that is: there Wilson's
interval of as many trials as there are clusters takes its place, for every metric without negative values.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from scipy.special import ndtri, stdtrit

from egobench.statistics.estimates import Estimate

LEVEL = 0.95
"""Of every interval."""

SMALL = 300
"""Below it, a share of single-sample clusters gets a Wilson interval."""

EXACT = 1e-12
"""What rounding leaves of a zero."""


def mean(values: Sequence[float], clusters: Sequence[Hashable], *, least: float = 0.0) -> Estimate:
    """A mean with its clustered standard error.

    ``SE^2 = C / (C - 1) sum_c (sum_{i in c} (x_i - mean))^2 / n^2``, interval ``mean +- t(C - 1) SE``. Wilson's
    interval takes its place for a share (all values 0 or 1) of fewer than 300 samples that are clusters of their own.

    Args:
        values: One per sample, at least one, in [``least``, 1].
        clusters: Each sample's cluster.
        least: The least value that the metric can have.

    Returns:
        The mean; without error and interval where there are fewer than two clusters.
    """
    centre, se, count = error(values, clusters)
    n = len(values)
    if se is None:
        return Estimate(centre, None, None, None, n, count)
    if count == n < SMALL and all(value in (0.0, 1.0) for value in values):
        return Estimate(centre, se, *wilson(centre, count), n, count)
    return around(centre, se, n, count, least=least)


def error(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[float, float | None, int]:
    """The mean, its clustered standard error (``None`` with fewer than two clusters), and the number of clusters."""
    n = len(values)
    centre = math.fsum(values) / n
    deviations: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        deviations[cluster].append(value - centre)
    count = len(deviations)
    if count < 2:
        return centre, None, count
    squares = math.fsum(math.fsum(part) ** 2 for part in deviations.values())
    return centre, math.sqrt(count / (count - 1) * squares) / n, count


def bootstrapped(
    compute: Callable[[Sequence[int]], float],
    clusters: Sequence[Hashable],
    *,
    seed: int = 0,
    replicates: int | None = None,
) -> Estimate:
    """Any statistic, with a standard error from resampling whole clusters.

    The interval is ``value +- t(C - 1) SE`` around the statistic of all samples: percentiles of the replicates would be
    biased, for class-wise mAP by +1.5 points.

    Args:
        compute: The statistic of some samples, given by position and repeated where they were drawn repeatedly.
        clusters: Each sample's cluster.
        seed: Of the resampling.
        replicates: How many times to resample; :func:`n_replicates` if ``None``.

    Returns:
        The statistic; without error and interval where there are fewer than two clusters.
    """
    n = len(clusters)
    positions: dict[Hashable, list[int]] = defaultdict(list)
    for position, cluster in enumerate(clusters):
        positions[cluster].append(position)
    members = [np.array(part) for part in positions.values()]
    count = len(members)
    value = compute(range(n))
    if count < 2:
        return Estimate(value, None, None, None, n, count)
    rng = np.random.default_rng(seed)
    drawn = [
        compute(np.concatenate([members[int(number)] for number in rng.integers(count, size=count)]).tolist())
        for _ in range(replicates or n_replicates(n))
    ]
    return around(value, float(np.std(drawn, ddof=1)), n, count)


def n_replicates(n: int) -> int:
    """Bootstrap replicates for ``n`` samples: 1,000, and down to 200 for large sets (error of the SE: 5 %)."""
    return min(1000, max(200, 1_000_000 // n))


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of ``n`` independent trials (Wilson 1927, without continuity correction)."""
    z = float(ndtri((1 + LEVEL) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def around(value: float, se: float, n: int, clusters: int, *, least: float = 0.0) -> Estimate:
    """A score with the interval ``value +- t(C - 1) SE``; Wilson's where all clusters score the same.

    The ends are cut off where the range of the metric ends, since no score lies beyond; the error is not.
    """
    share = min(max(value, 0.0), 1.0)
    if se < EXACT and abs(share - value) < EXACT and (least == 0 or min(share, 1 - share) < EXACT):
        return Estimate(value, se, *wilson(share, clusters), n, clusters)
    half = float(stdtrit(clusters - 1, (1 + LEVEL) / 2)) * se
    low, high = max(value - half, min(least, value)), min(value + half, max(1.0, value))
    return Estimate(value, se, low, high, n, clusters)
