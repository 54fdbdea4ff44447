"""An attack that learns: logistic regression on features of an option among its options, text alone.

Every sample is scored by itself, by a model that saw no sample of its cluster and no option set that a sample of its
cluster has. Keeping only half of an option set's samples would tell the rest by elimination: what is shown but never
right elsewhere is right here.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from egobench.distractors.attacks import Sheet, centroid, longest, reciprocal
from egobench.errors import ModelError, install_command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating]
    Whole = NDArray[np.int64]
    Masks = NDArray[np.bool_]

FOLDS = 10
AXES = 32
"""Main directions of the pool's vectors that are features."""


def learned(sheet: Sheet, clusters: Sequence[str]) -> Numbers:
    """Scores of the learned attack.

    Args:
        sheet: The samples.
        clusters: The cluster of each.

    Returns:
        ``(n_samples, n_options)``; all 0 for a fold that nothing can be learned for.

    Raises:
        ModelError: If scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy, and only this attack needs it
    except ImportError as error:
        raise ModelError(f"the learned attack needs scikit-learn; {install_command('distractors')}") from error
    fold = np.array([int.from_bytes(sha256(name.encode()).digest()[:4]) % FOLDS for name in clusters], np.int64)
    known = _known(sheet, fold)
    features = np.concatenate([_of_texts(sheet), _among_options(sheet)], axis=2)
    flat = features.reshape(-1, features.shape[2])
    spread = flat.std(axis=0)
    features = (features - flat.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    right = np.arange(sheet.size) == sheet.targets[:, None]
    scores = np.zeros(sheet.options.shape)
    for number in np.unique(fold):
        train, asked = known[number], fold == number
        if train.any():
            model = LogisticRegression(max_iter=300)
            model.fit(features[train].reshape(-1, features.shape[2]), right[train].ravel())
            scores[asked] = model.decision_function(features[asked].reshape(-1, features.shape[2])).reshape(
                -1, sheet.size
            )
    return scores


def _known(sheet: Sheet, fold: Whole) -> Masks:
    """Which samples have an option set that no sample of a fold has: ``(FOLDS, n_samples)``."""
    sets = np.unique(np.sort(sheet.options, axis=1), axis=0, return_inverse=True)[1].ravel()
    touched = np.zeros((FOLDS, sets.max() + 1), bool)
    touched[fold, sets] = True
    return ~touched[:, sets]


def _of_texts(sheet: Sheet) -> Numbers:
    """Where the text lies, and how it is written."""
    vectors = sheet.pool.vectors - sheet.pool.vectors.mean(axis=0)
    axes = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, :AXES]
    style = [[text[:1].isupper(), text[-1:] in ".?!", len(text.split())] for text in sheet.pool.texts]
    return np.concatenate([vectors @ axes, np.array(style, np.float64)], axis=1)[sheet.options]


def _among_options(sheet: Sheet) -> Numbers:
    """How the option compares with those beside it, and its place."""
    cosines = sheet.cosines().astype(np.float64)
    diagonal = np.arange(sheet.size)
    cosines[:, diagonal, diagonal] = np.nan
    near, length = reciprocal(sheet), longest(sheet)
    columns = [
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
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=2)
