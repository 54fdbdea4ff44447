"""Attacks that choose an option without seeing video or question: each gives every option a score.

The best-scored option is chosen; ties share the credit. An attack that finds more than chance has found a shortcut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from egobench.distractors.nearest import nearest_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating]
    Whole = NDArray[np.int64]

BLOCK_ROWS = 2048


@dataclass(frozen=True, slots=True)
class Pool:
    """The texts of all options of a subset.

    Attributes:
        texts: Distinct ones, sorted.
        vectors: ``(n_texts, dim)`` float32, rows of length 1.
    """

    texts: Sequence[str]
    vectors: Numbers


@dataclass(frozen=True)
class Sheet:
    """Samples with equally many options; what several attacks need of them is computed once.

    Attributes:
        pool: The texts.
        options: Row in the pool: ``(n_samples, n_options)``.
        targets: Position of the right option: ``(n_samples,)``.
    """

    pool: Pool
    options: Whole
    targets: Whole

    @property
    def size(self) -> int:
        """Number of options of every sample."""
        return int(self.options.shape[1])

    @cached_property
    def cosines(self) -> Numbers:
        """Between the options of each sample: ``(n_samples, n_options, n_options)``."""
        cosines = np.empty((*self.options.shape, self.size), np.float32)
        for start in range(0, len(self.options), BLOCK_ROWS):
            vectors = self.pool.vectors[self.options[start : start + BLOCK_ROWS]]
            cosines[start : start + BLOCK_ROWS] = vectors @ vectors.swapaxes(1, 2)
        return cosines

    @cached_property
    def neighbours(self) -> Whole:
        """The texts of the pool nearest to each text that is an option, fewer by one than a sample has options.

        ``(n_texts, n_neighbours)`` rows in the pool, without the text itself; -1 for a text that is no option here.
        """
        rows = np.unique(self.options)
        count = min(self.size, len(self.pool.texts))
        near = np.full((len(self.pool.texts), count), -1)
        near[rows] = nearest_rows(self.pool.vectors[rows], self.pool.vectors, count)
        # The list leads with the text itself; where a copy comes first, the last of the list is one too many.
        itself = near == np.arange(len(near))[:, None]
        itself[~itself.any(axis=1), -1] = True
        others: Whole = near[~itself].reshape(len(near), count - 1)
        return others


Attack = Callable[[Sheet], "Numbers"]
"""From samples to one score an option, ``(n_samples, n_options)``."""


def centroid(sheet: Sheet) -> Numbers:
    """Likeness to the other options."""
    return np.asarray(sheet.cosines.sum(axis=2) - 1)


def reciprocal(sheet: Sheet) -> Numbers:
    """How many of the other options are among the texts nearest to the option, as many as stand beside it."""
    counts = np.zeros(sheet.options.shape)
    for place in range(sheet.size):
        near = sheet.neighbours[sheet.options[:, place]]
        listed = (near[:, :, None] == sheet.options[:, None, :]).any(axis=1)
        counts[:, place] = listed.sum(axis=1) - listed[:, place]
    return counts


def longest(sheet: Sheet) -> Numbers:
    """Number of characters."""
    return np.array([len(text) for text in sheet.pool.texts], np.float64)[sheet.options]


def shortest(sheet: Sheet) -> Numbers:
    """Number of characters, fewer first."""
    return -longest(sheet)


def position(sheet: Sheet) -> Numbers:
    """How often the right option stands at the place, over all samples."""
    shares = np.bincount(sheet.targets, minlength=sheet.size) / len(sheet.targets)
    return np.broadcast_to(shares, sheet.options.shape)


LOOKS: dict[str, Attack] = {"centroid": centroid, "reciprocal": reciprocal}
"""Attacks that compare vectors."""

PLAIN: dict[str, Attack] = {"longest": longest, "shortest": shortest, "position": position}
"""Attacks that need none."""


def credit(scores: Numbers, targets: Whole) -> Numbers:
    """What choosing the best-scored option earns: 1, 0, or a share where several are best, to 1e-6.

    Args:
        scores: ``(n_samples, n_options)``.
        targets: Position of the right option: ``(n_samples,)``.

    Returns:
        ``(n_samples,)`` in [0, 1].
    """
    best = scores >= scores.max(axis=1, keepdims=True) - 1e-6
    return np.asarray(best[np.arange(len(targets)), targets] / best.sum(axis=1), np.float64)
