"""Attacks that remember: what was right in other clusters among these options, for this question, or at all.

Each gives an option the share of times that it was right when it was shown with the same key, smoothed towards the
share it has under a wider key: the option set or the question, then the text alone, then one in as many as there are
options. Counts are of the samples of all other clusters, so a sample never meets its own video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from egobench.distractors.attacks import Sheet
from egobench.distractors.folds import in_shared_sets, option_sets
from egobench.replies import normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating]
    Whole = NDArray[np.int64]

KEPT_WORDS = 0.02
"""Words of a template are those in at least this share of the questions; runs of others become one gap."""


def set_lookup(sheet: Sheet, clusters: Sequence[str], wider: Numbers) -> Numbers:
    """Scores of an attack that remembers option sets.

    Args:
        sheet: The samples.
        clusters: The cluster of each.
        wider: What an option gets where its set was not seen, ``(n_samples, n_options)`` in [0, 1]; of a shared option
            set nothing is remembered.

    Returns:
        ``(n_samples, n_options)``.
    """
    shares = _shares(sheet, option_sets(sheet.options), _numbers(clusters), wider)
    return np.where(in_shared_sets(sheet.options, sheet.targets)[:, None], wider, shares)


def lookups(sheet: Sheet, questions: Sequence[str], clusters: Sequence[str]) -> dict[str, Numbers]:
    """Scores of all attacks that remember.

    Args:
        sheet: The samples.
        questions: The question of each.
        clusters: The cluster of each.

    Returns:
        ``(n_samples, n_options)`` by name of the attack: ``popularity`` (how often an option is an answer elsewhere),
        ``option texts`` (in what share of times that it is shown), ``option sets``, ``questions`` and ``question
        templates``. The answers of shared option sets are not counted for ``option sets``.
    """
    own = _numbers(clusters)
    chance = np.full(sheet.options.shape, 1 / sheet.size)
    everything = np.zeros(len(own), np.int64)
    texts = _shares(sheet, everything, own, chance)
    return {
        "popularity": _elsewhere(sheet, everything, own).right,
        "option texts": texts,
        "option sets": set_lookup(sheet, clusters, texts),
        "questions": _shares(sheet, _numbers([normalised(question) for question in questions]), own, texts),
        "question templates": _shares(sheet, _numbers(templates(questions)), own, texts),
    }


def templates(questions: Sequence[str]) -> list[str]:
    """Questions with a gap for each run of words that few other questions have, e.g. ``"what is the status of _"``."""
    words = [re.findall(r"\w+", question.lower()) for question in questions]
    counts = Counter(word for question in words for word in set(question))
    kept = {word for word, count in counts.items() if count >= max(2, KEPT_WORDS * len(questions))}
    return [re.sub(r"_(?: _)+", "_", " ".join(w if w in kept else "_" for w in question)) for question in words]


def _numbers(keys: Sequence[str]) -> Whole:
    return np.unique(np.array(keys), return_inverse=True)[1].ravel()


def _shares(sheet: Sheet, keys: Whole, own: Whole, wider: Numbers) -> Numbers:
    """The smoothed share of times that an option was right under a key, over other clusters.

    Args:
        sheet: The samples.
        keys: What each sample is remembered by: ``(n_samples,)`` from 0.
        own: The cluster of each: ``(n_samples,)`` from 0.
        wider: Shares under a wider key, ``(n_samples, n_options)``: they count as one more showing.
    """
    counts = _elsewhere(sheet, keys, own)
    return np.asarray((counts.right + wider) / (counts.showings + 1), np.float64)


class _Counts(NamedTuple):
    """How often an option was shown and was right under the key of its sample: ``(n_samples, n_options)`` each."""

    showings: Numbers
    right: Numbers


def _elsewhere(sheet: Sheet, keys: Whole, own: Whole) -> _Counts:
    """Counts over the samples of other clusters."""
    pairs = keys[:, None] * len(sheet.pool.texts) + sheet.options
    right = (np.arange(sheet.size) == sheet.targets[:, None]).ravel()
    entries = np.unique(pairs, return_inverse=True)[1].ravel()
    in_cluster = np.unique(entries * (own.max() + 1) + np.repeat(own, sheet.size), return_inverse=True)[1].ravel()
    showings, hits = (
        (np.bincount(entries, weights)[entries] - np.bincount(in_cluster, weights)[in_cluster]).reshape(pairs.shape)
        for weights in (np.ones(len(right)), right.astype(np.float64))
    )
    return _Counts(np.asarray(showings, np.float64), np.asarray(hits, np.float64))
