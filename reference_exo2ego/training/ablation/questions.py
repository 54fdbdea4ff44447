"""Which score variants are compared by, and how many test questions it takes to see a difference of a given size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from scipy.special import stdtrit

from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError
from egobench.run.plan import Part, plan
from egobench.run.spec import Settings
from egobench.scoring.entry import metric_id
from egobench.scoring.overview import headline_ids
from egobench.statistics.clustered import LEVEL
from egobench.statistics.pairs import POWER

DISCORDANT: Final = 0.3
"""Share of the questions on which two variants are assumed to differ, before any was asked."""

ALIKE: Final = 0.05
"""Correlation that differences on questions about one video are assumed to have."""


class MeanScore(NamedTuple):
    """The score that variants are compared by: a plain mean of headline scores.

    Attributes:
        name: What it is called.
        ids: ``task/subset/protocol/construction/metric`` of its members.
    """

    name: str
    ids: tuple[str, ...]


class Questions(NamedTuple):
    """How many questions are asked.

    Attributes:
        limit: Most of each subset; ``None`` for all.
        asked: How many these are in all.
        detectable: The least difference that a paired test of the mean score is planned to find, in [0, 1].
    """

    limit: int | None
    asked: int
    detectable: float


def mean_score(sets: Sequence[SampleSet]) -> MeanScore:
    """The mean score of some sample sets: an average of the protocol's where all of it is there, else of what is.

    Raises:
        SampleSetError: If they have no headline score of options.
    """
    parts = {metric_id(part.id, part.subset.headline): part for part in _parts(sets, None)}
    for name, construction in (("Avg (debiased)", "debiased"), ("Avg", None)):
        ids = headline_ids(construction)
        if all(score_id in parts for score_id in ids):
            return MeanScore(name, ids)
    chosen: dict[tuple[str, str], str] = {}
    for score_id, part in parts.items():
        key = (part.task.name, part.subset.name)
        if key not in chosen or part.id.construction == "debiased":
            chosen[key] = score_id
    if not chosen:
        raise SampleSetError("no sample set with options; build some with egobench build")
    return MeanScore(f"mean of {len(chosen)} scores", tuple(chosen.values()))


def choose_questions(sets: Sequence[SampleSet], score: MeanScore, target: float, seed: int = 0) -> Questions:
    """The fewest questions of each subset with which a difference is found in 80 % of repetitions.

    Args:
        sets: The sample sets.
        score: What is compared.
        target: The difference, in (0, 1].
        seed: Which questions are asked.

    Returns:
        All of them where even they are too few; the difference that is found then is larger.
    """
    most = max(len(part.samples) for part in _parts(sets, None))
    fewest, enough = 1, most
    while fewest < enough:
        middle = (fewest + enough) // 2
        if planned(sets, score, middle, seed).detectable <= target:
            enough = middle
        else:
            fewest = middle + 1
    return planned(sets, score, enough if enough < most else None, seed)


def planned(sets: Sequence[SampleSet], score: MeanScore, limit: int | None, seed: int = 0) -> Questions:
    """What a number of questions is planned to find, by :data:`DISCORDANT` and :data:`ALIKE`.

    A difference that is 1, 0 or -1 on each question has the variance :data:`DISCORDANT` where there is no effect; of
    ``n`` questions in clusters of ``m_c`` the mean has ``v / n^2 sum_c (m_c + r m_c (m_c - 1))``. The members of the
    mean are taken for independent, and seeds are not counted, which makes it less by as much as they differ.

    Args:
        sets: The sample sets.
        score: What is compared.
        limit: Most questions of each subset; ``None`` for all.
        seed: Which questions are asked.
    """
    parts = _parts(sets, limit, seed)
    variance, fewest = 0.0, math.inf
    for part in parts:
        if metric_id(part.id, part.subset.headline) in score.ids:
            sizes = Counter(sample.cluster for sample in part.selected).values()
            spread = sum(size + ALIKE * size * (size - 1) for size in sizes)
            variance += DISCORDANT * spread / len(part.selected) ** 2
            fewest = min(fewest, len(sizes))
    count = sum(len(part.selected) for part in parts)
    if fewest < 2:
        return Questions(limit, count, 1.0)
    quantiles = float(stdtrit(fewest - 1, (1 + LEVEL) / 2)) + float(stdtrit(fewest - 1, POWER))
    return Questions(limit, count, min(1.0, quantiles * math.sqrt(variance) / len(score.ids)))


def _parts(sets: Sequence[SampleSet], limit: int | None, seed: int = 0) -> list[Part]:
    """The parts with options of their own, whose answers are public."""
    with_options = [sample_set for sample_set in sets if not sample_set.gallery]
    return [
        part
        for part in plan(with_options, Settings(limit=limit, seed=seed))
        if part.subset.protocol == "mcq" and all(sample.target is not None for sample in part.samples)
    ]
