"""Paired tests: two runs over the same samples, clustered by source video (PROTOCOL section 5)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

POWER = 0.8
"""Of the minimum detectable effect."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """By how much one run is better than another, and how sure that is.

    Attributes:
        effect: Score of the first run minus score of the second.
        se: Its clustered standard error; ``None`` with fewer than two clusters, as are the interval and ``p``.
        low: Lower end of the 95 % interval, at least -1 where scores are in [0, 1].
        high: Upper end, at most 1 likewise.
        p: Two-sided p-value of no difference.
        detectable: Minimum detectable effect: the true difference that this test, two-sided at 5 %, finds in 80 % of
            repetitions; ``None`` where the error is 0 or unknown.
        n: Number of samples.
        clusters: Number of clusters.
        discordant: Number of samples on which the runs have different values; ``None`` for a metric that has none.
    """

    effect: float
    se: float | None
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    n: int
    clusters: int
    discordant: int | None = None


def paired(a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable]) -> PairedTest:
    """Clustered paired t-test of the mean of ``a[i] - b[i]``.

    ``SE^2 = C / (C - 1) sum_c (sum_{i in c} (d_i - mean))^2 / n^2``, compared with t of C - 1 degrees of freedom. With
    clusters of one sample each it is the paired t-test.

    Args:
        a: Values of one run, one a sample, in [0, 1].
        b: Values of another run for the same samples, in the same order.
        clusters: Each sample's cluster.

    Returns:
        The test.

    Raises:
        ValueError: If there are no samples, lengths differ, or a value is not a number.
    """
    from egobench.statistics.clustered import error  # noqa: PLC0415 - numpy and scipy

    if not len(a) == len(b) == len(clusters) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} values and {len(clusters)} clusters; expected one each a sample")
    differences = [float(x) - float(y) for x, y in zip(a, b, strict=True)]
    if not all(map(math.isfinite, differences)):
        position = next(i for i, each in enumerate(differences) if not math.isfinite(each))
        raise ValueError(f"values {a[position]} and {b[position]} of sample {position}; expected numbers in [0, 1]")
    effect, se, count = error(differences, clusters)
    return t_test(effect, se, n=len(a), clusters=count, discordant=sum(each != 0 for each in differences))


def t_test(effect: float, se: float | None, *, n: int, clusters: int, discordant: int | None = None) -> PairedTest:
    """The test of an effect with a standard error that is known to C - 1 degrees of freedom.

    The minimum detectable effect is ``(t_0.975(C - 1) + t_0.8(C - 1)) SE``. Where every cluster has the same
    difference, the error is 0 and t says nothing. There the sign test of the clusters takes its place,
    ``p = 2 / 2^C``, with the interval that belongs to it: at least a share w = 0.025^(1 / C) of all clusters is like
    these, and the others lie anywhere in [-1, 1].

    Args:
        effect: The difference.
        se: Its error; ``None`` if there is none.
        n: Number of samples.
        clusters: Number of clusters C.
        discordant: Number of samples on which the runs differ.
    """
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - scipy

    from egobench.statistics.clustered import EXACT, LEVEL  # noqa: PLC0415

    if se is None or clusters < 2:
        return PairedTest(effect, None, None, None, None, None, n, clusters, discordant)
    if se < EXACT:
        like = ((1 - LEVEL) / 2) ** (1 / clusters)
        p = 1.0 if abs(effect) < EXACT else min(1.0, 2 * 0.5**clusters)
        low, high = like * effect - (1 - like), like * effect + (1 - like)
        return PairedTest(effect, se, low, high, p, None, n, clusters, discordant)
    critical = float(stdtrit(clusters - 1, (1 + LEVEL) / 2))
    p = 2 * float(stdtr(clusters - 1, -abs(effect) / se))
    detectable = (critical + float(stdtrit(clusters - 1, POWER))) * se
    # A difference of two scores in [0, 1] lies in [-1, 1], or further out where the scores themselves can.
    low, high = max(effect - critical * se, min(-1.0, effect)), min(effect + critical * se, max(1.0, effect))
    return PairedTest(effect, se, low, high, p, detectable, n, clusters, discordant)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values of one family of tests (Holm 1979): those below 5 % stand together at a 5 % risk of any error.

    Args:
        p_values: One a test, in [0, 1]; ``None`` for a test that could not be made, which is not part of the family.

    Returns:
        In the same order.
    """
    ordered = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, position) in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - rank) * p))
        adjusted[position] = largest
    return adjusted
