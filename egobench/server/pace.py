"""How many requests are under way to a server at a time: more while all goes well, half as many once it is busy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Condition
from time import monotonic
from typing import Literal

FIRST = 4
"""Requests under way at first."""

Outcome = Literal["well", "busy", "failed"]
"""What became of a request: an answer, a server that asks for less, or anything else."""


class Pace:
    """The places of requests under way, shared by the threads that send them.

    One place more for every answer at first, then one more for every full round of answers; half of them after a
    server says that it is busy. Requests that were under way together halve the places once.

    Args:
        most: Most places.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._places = float(min(FIRST, most))
        self._under_way = 0
        self._halved: float | None = None
        self._pause = 0.0
        self._changed = Condition()

    @property
    def places(self) -> int:
        """Requests that may be under way now."""
        return int(self._places)

    def enter(self) -> float:
        """Wait for a place, and until a pause is over.

        Returns:
            When the place was had; :meth:`leave` wants to know.
        """
        with self._changed:
            while True:
                rest = self._pause - monotonic()
                if rest <= 0 and self._under_way < self.places:
                    self._under_way += 1
                    return monotonic()
                self._changed.wait(rest if rest > 0 else None)

    def leave(self, entered: float, outcome: Outcome, pause: float | None = None) -> None:
        """Give a place back.

        Args:
            entered: What :meth:`enter` returned.
            outcome: What became of the request.
            pause: Seconds in which nobody is to send anything, where the server asked for some.
        """
        with self._changed:
            self._under_way -= 1
            now = monotonic()
            if outcome == "well":
                self._places = min(self.most, self._places + (1 if self._halved is None else 1 / self._places))
            elif outcome == "busy" and (self._halved is None or entered > self._halved):
                self._places, self._halved = max(1.0, self._places / 2), now
            if pause is not None:
                self._pause = max(self._pause, now + pause)
            self._changed.notify_all()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or a date (RFC 9110, 10.2.3), at least 0.

    Args:
        headers: Of an answer. A date is counted from that of the answer, since clocks differ.

    Returns:
        ``None`` where there is neither.
    """
    header = headers.get("Retry-After", "")
    try:
        seconds = float(header)
    except ValueError:
        until, now = _date(header), _date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = math.nan if until is None else (until - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC)
