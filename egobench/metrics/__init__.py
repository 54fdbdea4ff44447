"""Metrics: from scored samples to numbers.

A :class:`MeanMetric` gives every sample a value, so its error is that of a clustered mean; a :class:`SetMetric` is
defined on all samples at once. Both are plain values a task lists by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from egobench.sample import Sample

if TYPE_CHECKING:
    import numpy as np

Outcome = Literal["answered", "unparsed", "refused", "media_error", "request_error"]
OUTCOMES: tuple[Outcome, ...] = ("answered", "unparsed", "refused", "media_error", "request_error")
"""What can become of a sample, in the order they are printed."""


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """One sample and what a model made of it.

    Attributes:
        sample: The sample.
        outcome: What became of it.
        scores: One number per option, higher is better; a choice scores 1 and the rest 0; ``None`` unless answered.
        reply: The reply's text, for open questions; ``""`` unless answered.
        turned: The scores under each further order of the options, ``scores`` being the first; all of them by the
            sample's own order. Empty where it was asked in one order.
    """

    sample: Sample
    outcome: Outcome
    scores: tuple[float, ...] | None = None
    reply: str = ""
    turned: tuple[tuple[float, ...], ...] = ()

    @property
    def choice(self) -> int | None:
        """Position of the option with the top score; ``None`` where there is none or a tie."""
        if self.outcome != "answered" or self.scores is None:
            return None
        top = max(self.scores)
        return self.scores.index(top) if self.scores.count(top) == 1 else None


@dataclass(frozen=True, slots=True)
class MeanMetric:
    """A metric that is the mean of one value per sample.

    Attributes:
        protocol: ``"mcq"`` or ``"open"``: which subsets it applies to.
        value: The value of one sample, in [``least``, 1]; 0 for a sample that was not answered.
        least: The least value there is.
        of_scores: Whether the value follows from outcome, target, relevance and the order of the scores, ties
            included, alone, so that it need not be computed again for a sample that has the same.
    """

    protocol: Literal["mcq", "open"]
    value: Callable[[ScoredSample], float]
    least: float = 0.0
    of_scores: bool = False


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A metric that is defined on all samples at once.

    Attributes:
        protocol: ``"mcq"`` or ``"open"``: which subsets it applies to.
        value: The value of a list of samples, in [0, 1].
        without: The values of a list of samples without each of its consecutive groups, by their sizes, where that is
            quicker than ``value`` of what is left, group by group; ``None`` where it is not.
    """

    protocol: Literal["mcq", "open"]
    value: Callable[[Sequence[ScoredSample]], float]
    without: Callable[[Sequence[ScoredSample], Sequence[int]], np.ndarray] | None = None


Metric = MeanMetric | SetMetric


def values_of(metric: MeanMetric, scored_samples: Iterable[ScoredSample]) -> list[float]:
    """The value of every sample, computed once for all samples of which ``of_scores`` says that it is the same."""
    if not metric.of_scores:
        return [metric.value(scored) for scored in scored_samples]
    values: list[float] = []
    known: dict[tuple[object, ...], float] = {}
    for scored in scored_samples:
        sample = scored.sample
        key = (scored.outcome, scored.scores, sample.target, sample.relevance, len(sample.options))
        value = known.get(key)
        if value is None:
            value = known[key] = metric.value(scored)
        values.append(value)
    return values
