"""The audit of a sample set: what can be had without seeing the video, and what is wrong with the options."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from egobench.distractors.attacks import ATTACKS, Pool, Sheet, credit
from egobench.distractors.learned import learned
from egobench.distractors.truth import Known
from egobench.replies import normalised
from egobench.sample import Sample
from egobench.task import Embedder, Truth

BINS = 40


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found in one subset of a sample set. Shares are in [0, 1].

    Attributes:
        subset: Its name.
        n: Number of samples with options and a public answer.
        chance: Mean of one in as many as a sample has options.
        attacks: Share of samples that each attack gets right; it sees neither video nor question.
        co_correct: Share of samples with a distractor that is known to be true as well.
        repeated_options: Share of samples with two options that are equal once normalised.
        option_sets: Number of distinct option sets.
        positions: Share of samples whose right option stands at each place.
        similarity: Mean cosine of an answer to its distractors.
        histogram: Number of pairs of answer and distractor by cosine, in ``BINS`` equal parts of [-1, 1].
    """

    subset: str
    n: int
    chance: float
    attacks: Mapping[str, float]
    co_correct: float
    repeated_options: float
    option_sets: int
    positions: tuple[float, ...]
    similarity: float
    histogram: tuple[int, ...]

    @property
    def blind_ceiling(self) -> float:
        """Share of samples that the best attack gets right."""
        return max(self.attacks.values())


def audit(samples: Sequence[Sample], truth: Truth, embedder: Embedder) -> Iterator[Audit]:
    """Audit the samples of a set, subset by subset.

    Args:
        samples: The samples; those without options or without a public answer are passed over.
        truth: How to tell that an answer is true of another clip too.
        embedder: Turns texts into vectors.

    Yields:
        One audit for each subset that has a choice.

    Raises:
        ModelError: If scikit-learn or the embedder is not installed.
    """
    by_subset: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if len(sample.options) > 1 and sample.target is not None:
            by_subset[sample.subset].append(sample)
    for subset, part in by_subset.items():
        yield _audit(subset, part, truth, embedder)


def _audit(subset: str, samples: Sequence[Sample], truth: Truth, embedder: Embedder) -> Audit:
    texts = sorted({text for sample in samples for text in sample.options})
    row = {text: number for number, text in enumerate(texts)}
    answers = Counter(sample.options[sample.target or 0] for sample in samples)
    votes = np.array([max(answers[text] - 1, 0) for text in texts], np.int64)
    pool = Pool(texts, embedder(texts), votes)
    known = Known(truth, ((sample.answer, sample.tags) for sample in samples))
    earned: defaultdict[str, float] = defaultdict(float)
    cosines: list[np.ndarray] = []
    for part in _by_size(samples):
        targets = np.array([sample.target for sample in part], np.int64)
        sheet = Sheet(pool, np.array([[row[text] for text in sample.options] for sample in part], np.int64), targets)
        for name, attack in ATTACKS.items():
            earned[name] += float(credit(attack(sheet), targets).sum())
        earned["learned"] += float(credit(learned(sheet, [sample.cluster for sample in part]), targets).sum())
        to_answer = sheet.cosines()[np.arange(len(part)), targets]
        cosines.append(to_answer[np.arange(sheet.size) != targets[:, None]])
    n = len(samples)
    to_answers = np.concatenate(cosines)
    places = Counter(sample.target or 0 for sample in samples)
    return Audit(
        subset=subset,
        n=n,
        chance=math.fsum(1 / len(sample.options) for sample in samples) / n,
        attacks={name: value / n for name, value in earned.items()},
        co_correct=sum(known.co_correct(one.options, one.target or 0, one.tags) for one in samples) / n,
        repeated_options=sum(len({normalised(text) for text in one.options}) < len(one.options) for one in samples) / n,
        option_sets=len({frozenset(sample.options) for sample in samples}),
        positions=tuple(places[place] / n for place in range(max(len(sample.options) for sample in samples))),
        similarity=float(to_answers.mean()),
        histogram=tuple(int(count) for count in np.histogram(to_answers.clip(-1, 1), BINS, (-1, 1))[0]),
    )


def _by_size(samples: Sequence[Sample]) -> list[list[Sample]]:
    found: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[len(sample.options)].append(sample)
    return [part for _, part in sorted(found.items())]
