"""The cyclic orders of a sample's options: who always says "A" is found out by turning them.

In order k the options are turned by k places: what stood at position k comes first. Answers are kept and scored by the
order of the sample set, whatever was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from egobench.sample import Sample

T = TypeVar("T")


def orders_of(sample: Sample, orders: int) -> range:
    """The orders a sample is asked in: at most one an option, and one for an open question."""
    return range(max(1, min(orders, len(sample.options))))


def turn(values: Sequence[T], order: int) -> tuple[T, ...]:
    """One value an option, in the order shown."""
    return (*values[order:], *values[:order])


def turn_back(values: Sequence[T], order: int) -> tuple[T, ...]:
    """One value an option, from the order shown back to the sample's own."""
    return turn(values, len(values) - order)


def shown_at(position: int, order: int, n_options: int) -> int:
    """Where the option at a position of the sample is shown."""
    return (position - order) % n_options


def turned(sample: Sample, order: int) -> Sample:
    """The sample as it is shown in an order."""
    if order == 0:
        return sample
    n_options = len(sample.options)
    target = None if sample.target is None else shown_at(sample.target, order, n_options)
    relevance = None if sample.relevance is None else turn(sample.relevance, order)
    return replace(sample, options=turn(sample.options, order), target=target, relevance=relevance)
