"""Progress on long work: rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from time import monotonic
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import Task as Bar

from egobench.commands.console import console
from egobench.printable import printable

WARNINGS = 10
"""Different warnings printed of one part; the rest are counted, and all are in the predictions."""


class _Rate(TextColumn):
    """Steps per second."""

    def __init__(self) -> None:
        super().__init__("{task.speed}")

    def render(self, task: Bar) -> str:  # type: ignore[override]
        """The rate so far."""
        return f"{task.speed:.1f}/s" if task.speed else "-/s"


class ProgressObserver:
    """An observer that shows progress on standard error. Used as a context manager."""

    def __init__(self, *, every: float = 10.0) -> None:
        self._console = console(errors=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._every = every
        self._bar = self._bars.add_task("", visible=False)
        self._stage, self._total, self._done, self._before, self._warnings = "", 0, 0, 0, 0
        self._printed: set[str] = set()
        self._started = self._last_line = monotonic()

    def __enter__(self) -> ProgressObserver:
        """Begin to show."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._end_stage()
        self._bars.stop()

    def begin(self, stage: str, total: int, done: int) -> None:
        """Begin a stage."""
        self._end_stage()
        self._stage, self._total, self._done, self._before, self._warnings = stage, total, done, done, 0
        self._printed = set()
        self._started = self._last_line = monotonic()
        self._bars.remove_task(self._bar)
        self._bar = self._bars.add_task(printable(stage), total=total, completed=done)
        if done:
            self._console.print(f"{stage}: {done} of {total} were done before", soft_wrap=True)

    def advance(self, steps: int) -> None:
        """Count further steps of the stage as done."""
        self._done += steps
        self._bars.advance(self._bar, steps)
        now = monotonic()
        if not self._console.is_terminal and now - self._last_line > self._every:
            self._last_line = now
            self._console.print(f"{self._stage}: {self._done} of {self._total}{self._pace(now)}", soft_wrap=True)

    def note(self, message: str) -> None:
        """Print something worth knowing."""
        self._console.print(message, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Print a problem that does not stop the work."""
        self._warnings += 1
        if len(self._printed) < WARNINGS and message not in self._printed:
            self._printed.add(message)
            self._console.print(f"warning: {message}", soft_wrap=True)

    def _pace(self, now: float) -> str:
        """The rate and the time left; ``""`` as long as nothing was done."""
        rate = (self._done - self._before) / (now - self._started)
        return f", {rate:.1f}/s, {max(0, self._total - self._done) / rate:.0f} s left" if rate > 0 else ""

    def _end_stage(self) -> None:
        if self._warnings > len(self._printed):
            self._console.print(
                f"warning: {self._stage}: {self._warnings - len(self._printed)} more like these", soft_wrap=True
            )
