"""GRIM: whether a printed percentage can be a whole number of right answers out of n (Brown and Heathers, 2017)."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

HALF = Decimal("0.5")


class Neighbours(NamedTuple):
    """The shares of n on either side of a printed percentage.

    Attributes:
        below: The largest number of right answers whose share is at most the percentage.
        above: The smallest number whose share is at least the percentage.
    """

    below: int
    above: int


def neighbours(printed: str, n: int) -> Neighbours:
    """Numbers of right answers next to a printed percentage.

    Args:
        printed: The percentage, e.g. ``"32.3"``.
        n: Number of samples, at least 1.
    """
    right = Decimal(printed) * n / 100
    return Neighbours(int(right.to_integral_value(ROUND_FLOOR)), int(right.to_integral_value(ROUND_CEILING)))


def is_share(printed: str, n: int) -> bool:
    """Whether some whole number of right answers out of n is printed so, rounded up or down at a half.

    Args:
        printed: The percentage as printed; its digits after the point say how far it is rounded.
        n: Number of samples, at least 1.
    """
    percentage = Decimal(printed)
    step = Decimal(10) ** -len(printed.partition(".")[2])
    return any(abs(Decimal(100 * right) / n - percentage) <= HALF * step for right in neighbours(printed, n))
