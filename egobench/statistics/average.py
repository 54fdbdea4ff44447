"""An average of numbers whose tasks share videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egobench.statistics.resampling import REPLICATES, Column, Influence, Resampled, draw


def average(columns: Sequence[Column], *, seed: int = 0) -> Resampled:
    """The plain mean of several numbers, under one resampling of all their source videos.

    A cluster name that is equal in two columns is the same video: one draw moves both. So numbers over shared videos
    are not taken for independent ones, whatever their metrics.

    Args:
        columns: The numbers, each for the same runs in the same order.
        seed: Of the resampling.

    Returns:
        The average of each run. The degrees of freedom are those of the number with the fewest clusters.

    Raises:
        ValueError: If there is no column, or they have different numbers of runs.
    """
    names, places = _shared([column.clusters for column in columns], [len(column.runs) for column in columns])
    values = np.mean([column.values() for column in columns], axis=0)
    n, fewest = sum(len(column.samples) for column in columns), min(len(column.clusters) for column in columns)
    if fewest < 2:
        return Resampled(values, np.empty((0, len(values))), n, fewest)
    rng = np.random.default_rng(seed)
    drawn = draw(len(names), REPLICATES, rng)
    while (missing := np.any([~drawn[:, place].any(axis=1) for place in places], axis=0)).any():
        drawn[missing] = draw(len(names), int(missing.sum()), rng)
    replicates = [column.replicates(drawn[:, place]) for column, place in zip(columns, places, strict=True)]
    return Resampled(values, np.mean(replicates, axis=0), n, fewest)


def average_influence(parts: Sequence[Influence]) -> Influence:
    """What each video adds to the plain mean of several numbers, for rank sets of the average.

    Args:
        parts: The numbers' influences, of the same runs in the same order; equal names of clusters are the same video.

    Raises:
        ValueError: If there is no number, or they have different numbers of runs.
    """
    names, places = _shared([part.clusters for part in parts], [len(part.values) for part in parts])
    by_cluster, shares = np.zeros((len(names), len(parts[0].values))), np.zeros(len(names))
    for part, place in zip(parts, places, strict=True):
        by_cluster[place] += part.by_cluster / len(parts)
        shares[place] += part.shares / len(parts)
    return Influence(np.mean([part.values for part in parts], axis=0), by_cluster, shares, tuple(names))


def _shared(clusters: Sequence[tuple[str, ...]], n_runs: Sequence[int]) -> tuple[list[str], list[np.ndarray]]:
    """All videos by name, and where each number's are among them."""
    if len(set(n_runs)) != 1:
        raise ValueError(f"{len(n_runs)} numbers with different runs; expected at least one, all of the same runs")
    names = sorted({name for of_number in clusters for name in of_number})
    return names, [np.searchsorted(names, of_number) for of_number in clusters]
