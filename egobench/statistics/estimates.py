"""A score and its interval: what every estimator returns, light enough to be imported anywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score and how sure it is.

    Attributes:
        value: The score.
        se: Its clustered standard error; ``None`` with fewer than two clusters.
        low: Lower end of the 95 % interval, in the metric's range; ``None`` where there is none.
        high: Upper end, in the metric's range.
        n: Number of samples.
        clusters: Number of clusters.
    """

    value: float
    se: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
