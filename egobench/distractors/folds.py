"""What an attack may learn from: samples of other clusters, and of shared option sets nothing by elimination.

In a shared option set every option is right once. Who knows the answers to all but one of its samples knows the last
one too; that is a property of the partition and no shortcut in a sample that is asked alone, so no attack may count the
answers of such a set (PROTOCOL section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Masks = NDArray[np.bool_]

FOLDS = 10


def folds_of(clusters: Sequence[str]) -> Whole:
    """The fold of each sample, ``(n_samples,)`` in [0, ``FOLDS``): all samples of a cluster are in one."""
    return np.array([int.from_bytes(sha256(name.encode()).digest()[:4]) % FOLDS for name in clusters], np.int64)


def option_sets(options: Whole) -> Whole:
    """The option set of each sample, ``(n_samples,)`` from 0, whatever the order of its options.

    Args:
        options: Row in the pool: ``(n_samples, n_options)``.
    """
    return np.unique(np.sort(options, axis=1), axis=0, return_inverse=True)[1].ravel()


def in_shared_sets(options: Whole, targets: Whole) -> Masks:
    """Which samples have an option set in which every option is right once: ``(n_samples,)``.

    Args:
        options: Row in the pool: ``(n_samples, n_options)``.
        targets: Position of the right option: ``(n_samples,)``.
    """
    sets = option_sets(options)
    ranks = np.argsort(np.argsort(options, axis=1, kind="stable"), axis=1, kind="stable")
    right = np.zeros((int(sets.max()) + 1, options.shape[1]), np.int64)
    np.add.at(right, (sets, ranks[np.arange(len(targets)), targets]), 1)
    shared: Masks = (right == 1).all(axis=1)[sets]
    return shared
