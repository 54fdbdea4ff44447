"""Observers: whoever wants to know how long work goes, from the command line's progress bar to a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Observer(Protocol):
    """Receives the progress of long work."""

    def begin(self, stage: str, total: int, done: int) -> None:
        """Begin a stage.

        Args:
            stage: Its name, e.g. a part of a run.
            total: Steps that it has, such as questions or files.
            done: Steps that an earlier call has done already.
        """
        ...

    def advance(self, steps: int) -> None:
        """Count further steps of the stage as done."""
        ...

    def note(self, message: str) -> None:
        """Report something worth knowing."""
        ...

    def warn(self, message: str) -> None:
        """Report a problem that does not stop the work."""
        ...


@dataclass(frozen=True, slots=True)
class SilentObserver:
    """An observer that ignores everything."""

    def begin(self, stage: str, total: int, done: int) -> None:
        """Ignore a stage."""

    def advance(self, steps: int) -> None:
        """Ignore progress."""

    def note(self, message: str) -> None:
        """Ignore a note."""

    def warn(self, message: str) -> None:
        """Ignore a warning."""
