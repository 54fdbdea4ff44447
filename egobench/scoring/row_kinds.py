"""Rows that have the same values, whichever metric of scores it is, so that each value is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from egobench.errors import StoreError
from egobench.metrics import OUTCOMES, Outcome
from egobench.run.records import Prediction, ScoredRow
from egobench.sample import Sample

_MOST = 2**62
"""Numbers stay below it, so that 64 bits hold them."""


class ScoredRows(NamedTuple):
    """The fields of some rows, an item a row: they take a fifth of the memory of the rows.

    Attributes:
        outcomes: What became of each sample; ``None`` for a row that was not read.
        choices: Positions of the chosen options.
        scores: Numbers per option.
    """

    outcomes: list[Outcome | None]
    choices: list[int | None]
    scores: list[tuple[float, ...] | None]

    @classmethod
    def of(cls, rows: Mapping[str, ScoredRow], samples: Sequence[Sample]) -> ScoredRows:
        """The rows of some samples, in their order.

        Args:
            rows: By sample id.
            samples: The samples; those without a row have no outcome.
        """
        ordered = [rows.get(sample.id) for sample in samples]
        return cls(
            [row and row["outcome"] for row in ordered],
            [row and row.get("choice") for row in ordered],
            [row and row.get("scores") for row in ordered],
        )

    def prediction(self, place: int, sample_id: str) -> Prediction:
        """What scores need of a row.

        Raises:
            LookupError: If it was not read.
        """
        outcome = self.outcomes[place]
        if outcome is None:
            raise LookupError(f"no row of sample {sample_id!r} was read")
        return Prediction(sample_id, outcome, choice=self.choices[place], scores=self.scores[place])


def row_kinds(rows: ScoredRows, alike: np.ndarray) -> np.ndarray:
    """Number rows by all that their values follow from.

    Args:
        rows: At least one row.
        alike: ``(n_rows,)`` integers from 0, the same for samples of which equal rows have the same values.

    Returns:
        ``(n_rows,)`` integers: equal where outcome, choice, number of scores, the order of the scores, ties included,
        and ``alike`` are equal.

    Raises:
        StoreError: If a score is not a number.
    """
    scores = rows.scores
    lengths = np.array([-1 if of_row is None else len(of_row) for of_row in scores])
    width = max(0, int(lengths.max()))
    table = np.full((len(scores), width), -np.inf)
    for length in np.unique(lengths[lengths > 0]).tolist():
        places = np.flatnonzero(lengths == length)
        table[places, :length] = [scores[place] for place in places.tolist()]
    if np.isnan(table).any():
        raise StoreError("predictions: a score is not a number; expected one per option that is")
    outcomes = np.array([_OUTCOMES[outcome] for outcome in rows.outcomes])
    choices = np.array([_choice_number(choice, width) for choice in rows.choices])
    above = [(table > own[:, None]).sum(axis=1) for own in table.T]
    return _combined([alike, outcomes, choices, lengths + 1, *above])


_IN_ORDER: tuple[Outcome | None, ...] = (None, *OUTCOMES)
_OUTCOMES = {outcome: number for number, outcome in enumerate(_IN_ORDER)}


def _choice_number(choice: int | None, width: int) -> int:
    """0 for none; all choices that no row can have are one."""
    if choice is None:
        return 0
    return choice + 1 if 0 <= choice < width else width + 1


def _combined(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number per combination of integers from 0."""
    combined, count = np.zeros(len(columns[0]), np.int64), 1
    for numbers in columns:
        base = int(numbers.max()) + 1
        if count * base > _MOST:
            combined = np.unique(combined, return_inverse=True)[1]
            count = int(combined.max()) + 1
        combined, count = combined * base + numbers, count * base
    return combined
