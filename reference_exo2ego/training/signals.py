"""SIGTERM and SIGINT while training: the step is finished, a checkpoint written, and the same command goes on."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPPED = 143
"""Exit code of a training that was asked to stop: that of a process that SIGTERM ended."""


@dataclass(slots=True)
class StopRequest:
    """Whether this process was asked to stop.

    Attributes:
        received: The signal's name; ``""`` for none.
    """

    received: str = ""

    def __call__(self) -> bool:
        """Tell whether a signal was received."""
        return bool(self.received)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal; a second one ends the process as it would by default."""
        self.received = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_requests() -> Generator[StopRequest]:
    """Take SIGTERM and SIGINT as requests to stop, for the duration of the context."""
    request = StopRequest()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
