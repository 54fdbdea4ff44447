"""Rows that have the same values, whichever metric of scores it is, so that each value is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from egobench.errors import StoreError
from egobench.metrics import OUTCOMES, Outcome
from egobench.run.records import Prediction, ScoredRow
from egobench.sample import Sample

DistinctRow = tuple[Outcome, int | None, tuple[float, ...] | None]

_MOST = 2**62
"""Numbers stay below it, so that 64 bits hold them."""


class ScoredRows(NamedTuple):
    """The rows of some samples; those that are equal, and there are many, are kept once.

    Attributes:
        distinct: Outcome, position of the chosen option and number per option of rows that differ from all others.
        numbers: ``(n_samples,)`` places in ``distinct``; -1 for a sample whose row was not read.
    """

    distinct: Sequence[DistinctRow]
    numbers: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[ScoredRow], samples: Sequence[Sample]) -> ScoredRows:
        """The rows of some samples, in their order.

        Args:
            rows: The rows, of which a sample's last one counts.
            samples: The samples.
        """
        places = {sample.id: place for place, sample in enumerate(samples)}
        numbers, known = [-1] * len(samples), dict[DistinctRow, int]()
        for row in rows:
            place = places.get(row["id"])
            if place is not None:
                distinct = row["outcome"], row.get("choice"), row.get("scores")
                numbers[place] = known.setdefault(distinct, len(known))
        return cls(list(known), np.array(numbers))

    @property
    def n_read(self) -> int:
        """Number of samples whose row was read."""
        return int((self.numbers >= 0).sum())

    def prediction(self, place: int, sample_id: str) -> Prediction:
        """What scores need of a row.

        Raises:
            LookupError: If it was not read.
        """
        number = int(self.numbers[place])
        if number < 0:
            raise LookupError(f"no row of sample {sample_id!r} was read")
        outcome, choice, scores = self.distinct[number]
        return Prediction(sample_id, outcome, choice=choice, scores=scores)


def row_kinds(rows: ScoredRows, alike: np.ndarray) -> np.ndarray:
    """Number the rows of samples by all that their values follow from.

    Args:
        rows: At least one row, and one for every sample.
        alike: ``(n_samples,)`` integers from 0, the same for samples of which equal rows have the same values.

    Returns:
        ``(n_samples,)`` integers: equal where outcome, choice, number of scores, the order of the scores, ties
        included, and ``alike`` are equal.

    Raises:
        StoreError: If a score is not a number.
    """
    scores = [of_row for _, _, of_row in rows.distinct]
    lengths = np.array([-1 if of_row is None else len(of_row) for of_row in scores])
    width = max(0, int(lengths.max()))
    table = np.full((len(scores), width), -np.inf)
    for length in np.unique(lengths[lengths > 0]).tolist():
        places = np.flatnonzero(lengths == length)
        table[places, :length] = [scores[place] for place in places.tolist()]
    if np.isnan(table).any():
        raise StoreError("predictions: a score is not a number; expected one per option that is")
    outcomes = np.array([OUTCOMES.index(outcome) for outcome, _, _ in rows.distinct])
    choices = np.array([_choice_number(choice, width) for _, choice, _ in rows.distinct])
    above = [(table > own[:, None]).sum(axis=1) for own in table.T]
    kinds = np.unique(_combined([outcomes, choices, lengths + 1, *above]), return_inverse=True)[1]
    return _combined([alike, kinds[rows.numbers]])


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
