"""What each source video adds to the metrics of a gallery: what runs over one gallery are compared by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from egobench.errors import StoreError
from egobench.metrics.gallery import GalleryMetric, RowMetric
from egobench.retrieval.gallery import ranked_table, sample_values
from egobench.retrieval.tables import ScoreTable, read_score_table
from egobench.run.plan import Part
from egobench.run.store import Run
from egobench.statistics.resampling import Influence


def read_influences(
    run: Run, part: Part, metrics: Mapping[str, GalleryMetric], relevance: np.ndarray
) -> dict[str, Influence]:
    """Read the scores of a run, and what each source video adds to its metrics.

    Args:
        run: The run folder.
        part: A part with a gallery.
        metrics: By name.
        relevance: ``(n_samples, n_items)``, of the samples that were asked.

    Returns:
        By name, of one run.

    Raises:
        StoreError: If a file is damaged, or some samples were not asked.
    """
    table = read_score_table(run, part, run.predictions(part.name))
    if len(table.rows.samples) < len(part.selected):
        raise StoreError(
            f"{run.path} is not finished: {len(table.rows.samples)} of {len(part.selected)} samples of {part.name} "
            "were asked; run its command again"
        )
    return {name: gallery_influence(metric, table, relevance) for name, metric in metrics.items()}


def gallery_influence(metric: GalleryMetric, table: ScoreTable, relevance: np.ndarray) -> Influence:
    """Compute what each source video adds to a metric of a table; by leaving it out where it has no value per sample.

    Args:
        metric: The metric.
        table: Scores of all samples.
        relevance: ``(n_samples, n_items)``.
    """
    if isinstance(metric, RowMetric):
        order, names, sizes = _by_cluster(table)
        return Influence.of_means(sample_values(metric, table, relevance)[order][:, None], sizes, names)
    ranked, right = ranked_table(table, relevance), relevance[relevance.any(axis=1)]
    order, names, sizes = _by_cluster(ranked)
    rest = metric.without(ranked.scores[order], right[order], sizes.tolist())
    return Influence.of_rest(np.array([metric.value(ranked.scores, right)]), rest[:, None], sizes, names)


def _by_cluster(table: ScoreTable) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Return the order of a table's rows by cluster, the names of the clusters and the number of rows of each."""
    clusters = [sample.cluster for sample in table.rows.samples]
    names, sizes = np.unique(clusters, return_counts=True)
    return np.argsort(clusters, kind="stable"), tuple(names.tolist()), sizes
