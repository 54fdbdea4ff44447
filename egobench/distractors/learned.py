"""Attacks that learn: logistic regression on features of an option among its options, with or without the question.

Every sample is scored by itself, by a model that saw no sample of its cluster.
"""

# Scikit-learn has no types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from egobench.distractors.attacks import Sheet, centroid, longest, reciprocal
from egobench.distractors.folds import FOLDS, folds_of, in_shared_sets, option_sets
from egobench.errors import ModelError, install_command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating]
    Whole = NDArray[np.int64]
    Masks = NDArray[np.bool_]

AXES = 32
"""Main directions of the pool's vectors that are features."""

MOST = 10_000
"""Samples that a model learns from; of more, as many are drawn."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of samples.

    Attributes:
        texts: One per sample.
        vectors: ``(n_samples, dim)`` float32, rows of length 1.
    """

    texts: Sequence[str]
    vectors: Numbers


class Learned(NamedTuple):
    """Scores of the attacks that learn: ``(n_samples, n_options)`` each, all 0 for a fold with nothing to learn from.

    Attributes:
        looks: Of one that has learned how right options look among wrong ones. It learns from samples that share
            neither cluster nor option set with a sample of the fold, so that nothing about an option set is remembered.
        with_questions: Of one that has learned from questions too which options are right. It learns from all samples
            of other clusters but those of a shared option set that the fold has too.
    """

    looks: Numbers
    with_questions: Numbers


def learned(sheet: Sheet, questions: Questions, clusters: Sequence[str]) -> Learned:
    """Scores of attacks that have learned from other clusters.

    Args:
        sheet: The samples.
        questions: Their questions.
        clusters: The cluster of each.

    Raises:
        ModelError: If scikit-learn is not installed.
    """
    directions = _axes(_centred(sheet.pool.vectors), AXES)
    looks = [*_of_texts(sheet, directions), *_among_options(sheet)]
    features = [*looks, *_with_question(sheet, questions, directions)]
    every = np.ones(len(sheet.targets), bool)
    return Learned(
        _regressed(sheet, looks, clusters, apart=every),
        _regressed(sheet, features, clusters, apart=in_shared_sets(sheet.options, sheet.targets)),
    )


def _regressed(sheet: Sheet, columns: Sequence[Numbers], clusters: Sequence[str], *, apart: Masks) -> Numbers:
    """Scores of logistic regression, fold by fold.

    Args:
        sheet: The samples.
        columns: The features, ``(n_samples, n_options)`` each.
        clusters: The cluster of each sample.
        apart: Samples that nothing is learned from for a fold that has their option set, ``(n_samples,)``.
    """
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy, and only these attacks need it
    except ImportError as error:
        raise ModelError(f"the learned attacks need scikit-learn; {install_command('distractors')}") from error
    fold = folds_of(clusters)
    touched = _touched(sheet, fold)
    features = np.stack([np.asarray(column, np.float64) for column in columns], axis=2)
    flat = features.reshape(-1, features.shape[2])
    spread = flat.std(axis=0)
    features = (features - flat.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    right = np.arange(sheet.size) == sheet.targets[:, None]
    scores = np.zeros(sheet.options.shape)
    for number in np.unique(fold):
        train = np.flatnonzero((fold != number) & ~(apart & touched[number]))
        held_out = fold == number
        if len(train) > MOST:
            train = np.sort(np.random.default_rng(int(number)).permutation(train)[:MOST])
        if len(train):
            model = LogisticRegression(max_iter=300)
            model.fit(features[train].reshape(-1, features.shape[2]), right[train].ravel())
            scores[held_out] = model.decision_function(features[held_out].reshape(-1, features.shape[2])).reshape(
                -1, sheet.size
            )
    return scores


def _touched(sheet: Sheet, fold: Whole) -> Masks:
    """Which samples have an option set that a sample of a fold has: ``(FOLDS, n_samples)``."""
    sets = option_sets(sheet.options)
    touched = np.zeros((FOLDS, int(sets.max()) + 1), bool)
    touched[fold, sets] = True
    return touched[:, sets]


def _of_texts(sheet: Sheet, directions: Numbers) -> list[Numbers]:
    """Where the text lies along some directions, and how it is written."""
    style = [[text[:1].isupper(), text[-1:] in ".?!", len(text.split())] for text in sheet.pool.texts]
    of_texts = np.concatenate([_centred(sheet.pool.vectors) @ directions, np.array(style, np.float64)], axis=1)
    return [column[sheet.options] for column in of_texts.T]


def _centred(vectors: Numbers) -> Numbers:
    """Vectors around 0."""
    around_zero: Numbers = vectors - vectors.mean(axis=0)
    return around_zero


def _axes(vectors: Numbers, count: int) -> Numbers:
    """Main directions of vectors around 0: ``(dim, count)``."""
    directions: Numbers = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, :count]
    return directions


def _among_options(sheet: Sheet) -> list[Numbers]:
    """How the option compares with those beside it, and its place."""
    cosines = sheet.cosines.astype(np.float64)
    diagonal = np.arange(sheet.size)
    cosines[:, diagonal, diagonal] = np.nan
    near, length = reciprocal(sheet), longest(sheet)
    return [
        centroid(sheet),
        np.nanmax(cosines, axis=2),
        np.nanmin(cosines, axis=2),
        near,
        near == near.max(axis=1, keepdims=True),
        length,
        length - length.mean(axis=1, keepdims=True),
        length == length.max(axis=1, keepdims=True),
        length == length.min(axis=1, keepdims=True),
        *np.broadcast_to(np.eye(sheet.size)[:, None, :], (sheet.size, *sheet.options.shape)),
    ]


def _with_question(sheet: Sheet, questions: Questions, directions: Numbers) -> list[Numbers]:
    """How the option goes with the question: likeness, common words, and main directions of both in one another."""
    texts = sheet.pool.vectors[sheet.options]
    likeness = np.einsum("nd,nkd->nk", questions.vectors, texts)
    words = [_words(text) for text in sheet.pool.texts]
    common = np.zeros(sheet.options.shape)
    for row, question in enumerate(questions.texts):
        spoken = _words(question)
        common[row] = [
            len(spoken & words[int(text)]) / max(1, len(words[int(text)])) for text in sheet.options[row].tolist()
        ]
    centred = _centred(questions.vectors)
    of_questions = centred @ _axes(centred, AXES // 4)
    of_texts = (_centred(sheet.pool.vectors) @ directions[:, : AXES // 4])[sheet.options]
    of_texts = np.moveaxis(of_texts, 2, 0)
    crossed = [column[:, None] * text for column in of_questions.T for text in of_texts]
    return [likeness, _among(likeness), common, _among(common), *crossed]


def _words(text: str) -> frozenset[str]:
    words: list[str] = re.findall(r"\w+", text.lower())
    return frozenset(words)


def _among(values: Numbers) -> Numbers:
    """By how much an option's value is above the mean of its sample."""
    above: Numbers = values - values.mean(axis=1, keepdims=True)
    return above
