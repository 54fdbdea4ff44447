"""Accuracy."""

from __future__ import annotations

from egobench.metrics import MeanMetric, ScoredSample
from egobench.metrics.ranking import possible_ranks


def _share_of_target(scored: ScoredSample) -> float:
    ranks = possible_ranks(scored)
    return (1 in ranks) / len(ranks) if ranks else 0.0


accuracy = MeanMetric("mcq", _share_of_target, of_scores=True)
"""Whether the target has the top score; among tied top scores, its share: 1 / (number of tied options)."""
