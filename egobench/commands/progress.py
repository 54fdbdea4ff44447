"""Progress on long work: rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from time import monotonic
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import Task as Bar

from egobench.commands.tables import console

WARNINGS = 10
"""Different warnings printed of one part; the rest are counted, and all are in the predictions."""


class _Rate(TextColumn):
    """Steps a second."""

    def __init__(self) -> None:
        super().__init__("{task.speed}")

    def render(self, task: Bar) -> str:  # type: ignore[override]
        """The rate so far."""
        return f"{task.speed:.1f}/s" if task.speed else "-/s"


class ProgressObserver:
    """Tells how a run goes, on standard error. Used as a context manager."""

    def __init__(self, *, every: float = 10.0) -> None:
        self._console = console(errors=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._every = every
        self._bar = self._bars.add_task("", visible=False)
        self._part, self._asked, self._done, self._before, self._warnings = "", 0, 0, 0, 0
        self._told: set[str] = set()
        self._started = self._said = monotonic()

    def __enter__(self) -> ProgressObserver:
        """Begin to show."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._end_part()
        self._bars.stop()

    def begin(self, part: str, asked: int, done: int) -> None:
        """A part begins."""
        self._end_part()
        self._part, self._asked, self._done, self._before, self._warnings = part, asked, done, done, 0
        self._told = set()
        self._started = self._said = monotonic()
        self._bars.remove_task(self._bar)
        self._bar = self._bars.add_task(part, total=asked, completed=done)
        if done:
            self._console.print(f"{part}: {done} of {asked} were answered before")

    def advance(self, samples: int) -> None:
        """So many samples more are done."""
        self._done += samples
        self._bars.advance(self._bar, samples)
        now = monotonic()
        if not self._console.is_terminal and now - self._said > self._every:
            self._said = now
            rate = (self._done - self._before) / (now - self._started)
            left = (self._asked - self._done) / rate
            self._console.print(f"{self._part}: {self._done} of {self._asked}, {rate:.1f}/s, {left:.0f} s left")

    def warn(self, message: str) -> None:
        """Something went wrong that does not stop the run."""
        self._warnings += 1
        if len(self._told) < WARNINGS and message not in self._told:
            self._told.add(message)
            self._console.print(f"warning: {message}", soft_wrap=True, markup=False)

    def _end_part(self) -> None:
        if self._warnings > len(self._told):
            self._console.print(f"warning: {self._part}: {self._warnings - len(self._told)} more like these")


class Stopwatch:
    """Takes the time of the questions alone, without what is done once a part; passes on warnings."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last = monotonic()

    def begin(self, part: str, asked: int, done: int) -> None:  # noqa: ARG002
        """A part begins."""
        self._last = monotonic()

    def advance(self, samples: int) -> None:  # noqa: ARG002
        """So many questions more are done."""
        now = monotonic()
        self.seconds += now - self._last
        self._last = now

    def warn(self, message: str) -> None:
        """Something went wrong, as it may in the whole run."""
        console(errors=True).print(f"warning: {message}", soft_wrap=True, markup=False)
