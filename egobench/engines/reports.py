"""Reports of actors about their progress, and the progress of the whole run that follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, NamedTuple

from egobench.observer import Observer


class Report(NamedTuple):
    """A call of an observer's method, reported by an actor.

    Attributes:
        call: Name of the method.
        arguments: Its arguments.
    """

    call: Literal["begin", "advance", "note", "warn"]
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class ReportBox:
    """An observer that keeps reports until they are fetched."""

    _reports: list[Report] = field(default_factory=list[Report])
    _lock: Lock = field(default_factory=Lock)

    def begin(self, stage: str, total: int, done: int) -> None:
        """Keep the beginning of a stage."""
        self._add(Report("begin", (stage, total, done)))

    def advance(self, steps: int) -> None:
        """Keep progress; steps are summed up."""
        with self._lock:
            if self._reports and self._reports[-1].call == "advance":
                steps += self._reports.pop().arguments[0]
            self._reports.append(Report("advance", (steps,)))

    def note(self, message: str) -> None:
        """Keep a note."""
        self._add(Report("note", (message,)))

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self._add(Report("warn", (message,)))

    def fetch(self) -> list[Report]:
        """Return the reports that were kept, and forget them."""
        with self._lock:
            reports, self._reports = self._reports, []
            return reports

    def _add(self, report: Report) -> None:
        with self._lock:
            self._reports.append(report)


class Progress:
    """Progress of the whole run: that of the actor which has seen the most of the others' answers.

    Args:
        observer: Receives it.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._stage = ""
        self._done: Counter[str] = Counter()
        self._views: dict[Any, tuple[str, int]] = {}
        self._total_before = 0

    def take(self, actor: Any, reports: Sequence[Report]) -> None:
        """Take in the reports of an actor."""
        for call, arguments in reports:
            if call == "note":
                self._observer.note(*arguments)
            elif call == "warn":
                self._observer.warn(*arguments)
            elif call == "begin":
                stage, total, done = arguments
                self._views[actor] = (stage, done)
                if stage not in self._done:
                    self._stage, self._done[stage] = stage, done
                    self._observer.begin(stage, total, done)
                self._see(stage, done)
            elif actor in self._views:
                stage, done = self._views[actor]
                self._views[actor] = (stage, done + arguments[0])
                self._see(stage, done + arguments[0])

    def forget(self, actor: Any) -> None:
        """Forget how far an actor was, after it has died."""
        self._views.pop(actor, None)

    def moved(self) -> bool:
        """Tell whether anything was done since the last call."""
        total = self._done.total()
        moved, self._total_before = total > self._total_before, total
        return moved

    def _see(self, stage: str, done: int) -> None:
        if done > self._done[stage]:
            if stage == self._stage:
                self._observer.advance(done - self._done[stage])
            self._done[stage] = done
