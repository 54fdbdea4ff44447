"""The audit of a sample set: what can be had without seeing the video, and what is wrong with the options.

Two blind figures (PROTOCOL section 4). ``blind`` is the best attack that is shown a sample's options and nothing else;
``blind_trained`` the best of those that have learned from the questions, options and answers of other clusters. A score
that is below the second may owe nothing to the video.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from egobench.dataset.sampleset import SampleSet
from egobench.distractors.attacks import LOOKS, PLAIN, Pool, Sheet, credit
from egobench.distractors.folds import in_shared_sets
from egobench.distractors.learned import Questions, learned
from egobench.distractors.lookups import lookups, set_lookup
from egobench.distractors.truth import Known
from egobench.errors import UnknownPluginError
from egobench.plugins import load_task
from egobench.replies import normalised
from egobench.sample import Sample
from egobench.task import Embedder, Truth

BINS = 40

MOST_TEXTS = 20_000
"""Options of a subset that are embedded and compared with one another, and questions; of more, samples are drawn."""

ELIMINATION = "elimination in shared option sets"
"""What no attack may do: the answers of a set that all but one are known of leave the last one."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit finds in one subset of a sample set. Shares are in [0, 1].

    Attributes:
        subset: Its name.
        n: Number of samples with options and a public answer.
        chance: Mean of one in as many as a sample has options.
        attacks: Share of samples that each attack gets right whose input is the sample's options alone.
        trained_attacks: The same of attacks that know questions, options and answers of other clusters.
        left_out: Ways to the answer that the trained attacks do not take.
        n_embedded: Number of samples that attacks by likeness were tried on: all, or a drawn part of a large subset.
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
    trained_attacks: Mapping[str, float]
    left_out: tuple[str, ...]
    n_embedded: int
    co_correct: float
    repeated_options: float
    option_sets: int
    positions: tuple[float, ...]
    similarity: float
    histogram: tuple[int, ...]

    @property
    def blind(self) -> float:
        """Share of samples that the best attack on the options alone gets right."""
        return max(self.attacks.values())

    @property
    def blind_trained(self) -> float:
        """Share of samples that the best trained attack gets right."""
        return max(self.trained_attacks.values())


class AuditedSet(NamedTuple):
    """A sample set and what its audit found.

    Attributes:
        sample_set: With co-correct rate and blind figures in its manifest.
        audits: One for each subset that has a choice.
    """

    sample_set: SampleSet
    audits: list[Audit]


def audit_set(sample_set: SampleSet, embedder: Embedder) -> AuditedSet:
    """Audit a sample set and note what was found in its manifest.

    Args:
        sample_set: The set; its task tells which options are true as well, where it is installed.
        embedder: Turns texts into vectors.

    Raises:
        ModelError: If the extra ``[distractors]`` is not installed.
    """
    try:
        truth = load_task(sample_set.manifest.task).true_of
    except UnknownPluginError:
        truth = Truth()
    audits = list(audit(sample_set.samples, truth, embedder))
    if not audits:
        return AuditedSet(sample_set, audits)
    n = sum(found.n for found in audits)
    manifest = replace(
        sample_set.manifest,
        co_correct=math.fsum(found.co_correct * found.n for found in audits) / n,
        blind_ceiling=max(found.blind for found in audits),
        blind={found.subset: found.blind for found in audits},
        blind_trained={found.subset: found.blind_trained for found in audits},
        blind_left_out=tuple(sorted({way for found in audits for way in found.left_out})),
    )
    return AuditedSet(replace(sample_set, manifest=manifest), audits)


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
    n = len(samples)
    known = Known(truth, ((sample.answer, sample.tags) for sample in samples))
    plain, trained, left_out = _plain(samples)
    embedded = draw_embedded(samples, MOST_TEXTS)
    looks, learnt, to_answers = _by_likeness(embedded, embedder)
    places = Counter(sample.target or 0 for sample in samples)
    also_true = sum(known.co_correct(sample.options, sample.target or 0, sample.tags) for sample in samples)
    repeated = sum(len({normalised(text) for text in sample.options}) < len(sample.options) for sample in samples)
    return Audit(
        subset=subset,
        n=n,
        chance=math.fsum(1 / len(sample.options) for sample in samples) / n,
        attacks={**looks, **plain, "learned": learnt["learned"]},
        trained_attacks={**trained, **learnt},
        left_out=left_out,
        n_embedded=len(embedded),
        co_correct=also_true / n,
        repeated_options=repeated / n,
        option_sets=len({frozenset(sample.options) for sample in samples}),
        positions=tuple(places[place] / n for place in range(max(len(sample.options) for sample in samples))),
        similarity=float(to_answers.mean()),
        histogram=tuple(int(count) for count in np.histogram(to_answers.clip(-1, 1), BINS, (-1, 1))[0]),
    )


def draw_embedded(samples: Sequence[Sample], most_texts: int) -> list[Sample]:
    """Draw the samples that attacks by likeness are tried on.

    Args:
        samples: Samples with options.
        most_texts: Distinct options, and distinct questions, that they may have together.

    Returns:
        The samples in their order. Option sets are drawn as a whole by hash; the last one in part if it has more
        samples than options, so that it is no shared one.
    """
    by_options: defaultdict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        by_options[tuple(sorted(sample.options))].append(sample)
    options: set[str] = set()
    questions: set[str] = set()
    kept: set[str] = set()
    for texts, part in sorted(by_options.items(), key=lambda item: _digest("\0".join(item[0]))):
        options.update(texts)
        if kept and len(options) > most_texts:
            break
        whole = len(questions | {sample.question for sample in part}) <= most_texts
        if kept and not whole and len(part) <= len(texts):
            break
        for sample in part if whole else sorted(part, key=lambda sample: _digest(sample.id)):
            if len(questions) < most_texts or sample.question in questions:
                questions.add(sample.question)
                kept.add(sample.id)
        if not whole:
            break
    return [sample for sample in samples if sample.id in kept]


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


class _Plain(NamedTuple):
    attacks: dict[str, float]
    trained_attacks: dict[str, float]
    left_out: tuple[str, ...]


def _plain(samples: Sequence[Sample]) -> _Plain:
    """Attacks that need no vectors, over all samples."""
    earned: defaultdict[str, float] = defaultdict(float)
    remembered: defaultdict[str, float] = defaultdict(float)
    shared = 0
    for part, sheet in _sheets(samples, None):
        for name, attack in PLAIN.items():
            earned[name] += _earned(attack(sheet), sheet)
        questions, clusters = [sample.question for sample in part], [sample.cluster for sample in part]
        for name, scores in lookups(sheet, questions, clusters).items():
            remembered[name] += _earned(scores, sheet)
        shared += int(in_shared_sets(sheet.options, sheet.targets).sum())
    n = len(samples)
    return _Plain(
        {name: value / n for name, value in earned.items()},
        {name: value / n for name, value in remembered.items()},
        (ELIMINATION,) if 2 * shared >= n else (),
    )


class _ByLikeness(NamedTuple):
    attacks: dict[str, float]
    learned: dict[str, float]
    cosines: np.ndarray


def _by_likeness(samples: Sequence[Sample], embedder: Embedder) -> _ByLikeness:
    """Attacks that compare vectors, and the cosines of answers to their distractors."""
    earned: defaultdict[str, float] = defaultdict(float)
    learnt: defaultdict[str, float] = defaultdict(float)
    cosines: list[np.ndarray] = []
    distinct = sorted({sample.question for sample in samples})
    vector = dict(zip(distinct, embedder(distinct), strict=True))
    for part, sheet in _sheets(samples, embedder):
        for name, attack in LOOKS.items():
            earned[name] += _earned(attack(sheet), sheet)
        texts, clusters = [sample.question for sample in part], [sample.cluster for sample in part]
        questions = Questions(texts, np.stack([vector[text] for text in texts]))
        scores = learned(sheet, questions, clusters)
        learnt["learned"] += _earned(scores.looks, sheet)
        learnt["learned with question"] += _earned(scores.with_questions, sheet)
        shares = 1 / (1 + np.exp(-scores.with_questions))
        learnt["option sets, else learned"] += _earned(set_lookup(sheet, clusters, shares), sheet)
        to_answer = sheet.cosines[np.arange(len(part)), sheet.targets]
        cosines.append(to_answer[np.arange(sheet.size) != sheet.targets[:, None]])
    n = len(samples)
    return _ByLikeness(
        {name: value / n for name, value in earned.items()},
        {name: value / n for name, value in learnt.items()},
        np.concatenate(cosines),
    )


def _sheets(samples: Sequence[Sample], embedder: Embedder | None) -> Iterator[tuple[list[Sample], Sheet]]:
    """Samples with equally many options, and the sheet of them; without an embedder the texts have no vectors."""
    texts = sorted({text for sample in samples for text in sample.options})
    row = {text: number for number, text in enumerate(texts)}
    vectors = np.empty((len(texts), 0), np.float32) if embedder is None else embedder(texts)
    pool = Pool(texts, vectors)
    by_size: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_size[len(sample.options)].append(sample)
    for _, part in sorted(by_size.items()):
        options = np.array([[row[text] for text in sample.options] for sample in part], np.int64)
        yield part, Sheet(pool, options, np.array([sample.target for sample in part], np.int64))


def _earned(scores: np.ndarray, sheet: Sheet) -> float:
    return float(credit(scores, sheet.targets).sum())
