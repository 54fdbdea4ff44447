"""The answers of one subset as vectors: which may share a set of options, and how alike they are and could be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from egobench.distractors.grouping import alike
from egobench.distractors.nearest import top_values
from egobench.distractors.truth import Known, conflicts, near_copies, statements
from egobench.sample import Record
from egobench.task import Embedder, Options, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_ROWS = 512


class Answers:
    """The answers of some records.

    Args:
        records: The records, at least one.
        truth: How to tell that an answer is true of another clip too.
        paraphrase: Texts whose cosine is above count as one.
        embedder: Turns texts into vectors.
    """

    def __init__(self, records: Sequence[Record], truth: Truth, paraphrase: float, embedder: Embedder) -> None:
        self._known = Known(truth, ((one.answer, one.tags) for one in records))
        self._texts = sorted({one.answer for one in records})
        self._row = {text: number for number, text in enumerate(self._texts)}
        self._vectors = embedder(self._texts)
        self._paraphrase = paraphrase

    def group(self, records: Sequence[Record], size: int, seed: int, left_out: float) -> list[list[Record]]:
        """Groups of records whose answers are alike and never true of one another's clips.

        Args:
            records: Some of the records.
            size: Members of a group.
            seed: Seed of the search.
            left_out: Share of the records that may stay out for the sake of likeness, in [0, 1).

        Returns:
            The groups; a record that found none is in none.
        """
        if len(records) < size:
            return []
        rows, numbers = np.unique(self._rows(records), return_inverse=True)
        near = near_copies(self._vectors[rows], numbers, self._paraphrase)
        kinds = [self._known.kind(one.answer, one.tags) for one in records]
        number = {kind: place for place, kind in enumerate(sorted(set(kinds)))}
        groups = alike(
            self._vectors[rows][numbers],
            conflicts(records, self._known, near),
            np.array([number[kind] for kind in kinds]),
            size,
            seed=seed,
            left_out=left_out,
        )
        return [[records[member] for member in group] for group in groups]

    def also_true(self, record: Record, options: Options) -> bool:
        """Whether an option other than the record's answer is known to be true of its clip."""
        return options.target is not None and self._known.co_correct(options.texts, options.target, record.tags)

    def likeness(self, groups: Sequence[Sequence[Record]]) -> tuple[float, float]:
        """How alike the answers of groups are, and how alike nearest neighbours would be.

        Args:
            groups: Groups of one size.

        Returns:
            Sums over all members: the mean cosine of an answer to the others of its group; and to as many nearest
            answers of the subset that are neither known to be true as well nor near-copies.
        """
        if not groups:
            return 0.0, 0.0
        others = len(groups[0]) - 1
        vectors = self._vectors[self._rows([one for group in groups for one in group])]
        sums = vectors.reshape(len(groups), others + 1, -1).sum(axis=1, dtype=np.float64)
        alike_sum = float(((sums**2).sum(axis=1) - others - 1).sum()) / others
        return alike_sum, self._nearest_likeness([one for group in groups for one in group], others)

    def _nearest_likeness(self, records: Sequence[Record], count: int) -> float:
        rows = self._rows(records)
        says, holds = statements(
            [self._known.says(text) for text in self._texts],
            [self._known.holds(one.answer, one.tags) for one in records],
        )
        total = 0.0
        for start in range(0, len(records), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            cosines = self._vectors[rows[block]] @ self._vectors.T
            cosines[cosines > self._paraphrase] = -np.inf
            true = (holds[block] @ says.T).tocoo()
            cosines[true.row, true.col] = -np.inf
            nearest = top_values(cosines, min(count, cosines.shape[1]))
            there = np.isfinite(nearest)
            sums = np.where(there, nearest, 0).sum(axis=1, dtype=np.float64)
            total += float((sums / np.maximum(there.sum(axis=1), 1)).sum())
        return total

    def _rows(self, records: Sequence[Record]) -> NDArray[np.int64]:
        return np.array([self._row[one.answer] for one in records], np.int64)
