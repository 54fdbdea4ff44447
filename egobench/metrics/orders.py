"""What several orders of the options show: right answers that stay right, and positions that are said too often."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from egobench.metrics import MeanMetric, ScoredSample, SetMetric
from egobench.metrics.accuracy import accuracy
from egobench.orders import shown_at


def positions(scored_samples: Sequence[ScoredSample]) -> tuple[list[float], list[float]]:
    """How often each position was answered, and how often the right option stood there, over all answers.

    Args:
        scored_samples: Samples with their scores in every order; tied top scores share.

    Returns:
        Twice a share of the answers for each position; both sum to 1. Empty where nothing was answered.
    """
    answered_at: dict[int, float] = defaultdict(float)
    stood: dict[int, float] = defaultdict(float)
    answers = 0
    for scored in scored_samples:
        if scored.outcome != "answered" or scored.scores is None or scored.sample.target is None:
            continue
        n_options = len(scored.scores)
        for order, scores in enumerate((scored.scores, *scored.turned)):
            top = max(scores)
            answers += 1
            stood[shown_at(scored.sample.target, order, n_options)] += 1
            for position, score in enumerate(scores):
                answered_at[shown_at(position, order, n_options)] += (score == top) / scores.count(top)
    length = range(max(answered_at, default=-1) + 1)
    return [answered_at[position] / answers for position in length], [stood[position] / answers for position in length]


def _right_in_all(scored: ScoredSample) -> float:
    return math.prod(accuracy.value(replace(scored, scores=scores)) for scores in (scored.scores, *scored.turned))


def _bias(scored_samples: Sequence[ScoredSample]) -> float:
    return math.fsum(abs(one - other) for one, other in zip(*positions(scored_samples), strict=True)) / 2


circular = MeanMetric("mcq", _right_in_all)
"""Circular accuracy: whether the sample is right in every order; tied top scores share, order by order."""

position_bias = SetMetric("mcq", _bias)
"""The least share of answers that would have to be given at other positions to fall where the right options stood.

Half the sum of how far, position by position, the share of answers is from the share of right options: 0 where every
position is said as often as it is right, (n - 1) / n for a model that says one letter in all n orders. Of answered
samples alone.
"""
