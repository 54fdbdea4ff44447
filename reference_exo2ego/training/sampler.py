"""Which clips a step shows: a function of seed, stage and step alone, wherever training was resumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np

WINDOW = 16
"""Batches that are sorted by length together: the more, the less is filled up, and the less random a batch is."""

TRIES = 20
"""Clips that are tried in the place of one that cannot be read, before training stops."""


def seed_of(*parts: object) -> int:
    """Return a seed in [0, 2^63) that is a function of some names and numbers."""
    digest = sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def is_kept(media: str, share: float, seed: int) -> bool:
    """Tell whether a video or picture is among the share of a file that is kept.

    Args:
        media: Its path.
        share: The share, in [0, 1].
        seed: Decides which are kept.
    """
    return share >= 1 or seed_of(seed, "share", media) < share * 2**63


class ClipOrder:
    """The order in which clips are shown, epoch by epoch.

    An epoch shows each clip as often as its weight says; of a weight that is not whole the rest falls on a part of the
    clips, another one in each epoch. Weights that sum to less than 1 show one clip. Clips are in random order; with
    lengths given, clips of a like length stand in one batch.

    Args:
        weights: How often each clip is shown in an epoch, more than 0.
        lengths: Of each clip's text; ``None`` where they do not matter.
        batch: Clips of a step.
        seed: Of the order.

    Attributes:
        per_epoch: Clips of an epoch.
    """

    def __init__(self, weights: Sequence[float], lengths: Sequence[int] | None, *, batch: int, seed: int) -> None:
        self._weights = np.asarray(weights, dtype=np.float64)
        self._lengths = None if lengths is None else np.asarray(lengths)
        self._batch, self._seed = batch, seed
        self.per_epoch = max(1, math.floor(self._weights.sum() + 1e-9))
        self._epoch = lru_cache(maxsize=4)(self._draw_epoch)

    def batch_of(self, step: int) -> list[int]:
        """Return the clips of a step by number; those of a like length are neighbours."""
        first = step * self._batch
        numbers = [self._clip(place) for place in range(first, first + self._batch)]
        if self._lengths is not None:
            numbers.sort(key=lambda number: -int(self._lengths[number]))  # type: ignore[index]
        return numbers

    def spare(self, step: int, place: int, attempt: int) -> int:
        """Draw the clip that takes the place of one that cannot be read.

        Args:
            step: The step.
            place: Of the clip in its batch.
            attempt: From 1.
        """
        rng = np.random.default_rng(seed_of(self._seed, "spare", step, place, attempt))
        return int(rng.integers(len(self._weights)))

    def _clip(self, place: int) -> int:
        epoch, inside = divmod(place, self.per_epoch)
        return int(self._epoch(epoch)[inside])

    def _draw_epoch(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng(seed_of(self._seed, "epoch", epoch))
        # With the running sum of weights a clip is shown as often as whole numbers lie in its stretch; in a random
        # order of clips the rest falls on others in each epoch.
        shuffled = rng.permutation(len(self._weights))
        edges = np.floor(np.concatenate([[0.0], np.cumsum(self._weights[shuffled])]) + 1e-9).astype(np.int64)
        # A running sum is rounded at each clip, in another order in each epoch, and may end below the whole sum.
        edges[-1] = max(edges[-1], self.per_epoch)
        order = rng.permutation(np.repeat(shuffled, np.diff(edges)))[: self.per_epoch]
        if self._lengths is None:
            return order
        return self._grouped(order, rng)

    def _grouped(self, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        lengths: np.ndarray = np.asarray(self._lengths)
        pieces: list[np.ndarray] = []
        for first in range(0, len(order), WINDOW * self._batch):
            window = order[first : first + WINDOW * self._batch]
            window = window[np.argsort(-lengths[window], kind="stable")]
            batches = [window[begin : begin + self._batch] for begin in range(0, len(window), self._batch)]
            pieces += [batches[number] for number in rng.permutation(len(batches))]
        return np.concatenate(pieces)


def micro_size(batch: int, processes: int, most: int) -> int:
    """Return how many clips a process computes at once: the most that divides its part of a batch evenly.

    Args:
        batch: Clips of a step.
        processes: How many share them.
        most: At most so many.

    Raises:
        ValueError: If the batch cannot be shared evenly.
    """
    if batch % processes:
        raise ValueError(f"a batch of {batch} clips cannot be shared by {processes} processes; change one of them")
    part = batch // processes
    return next(size for size in range(min(most, part), 0, -1) if part % size == 0)
