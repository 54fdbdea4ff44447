"""What the loop records of a part when it is handed only some of its units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from egobench.loop.ask import PartRun, ask_part
from egobench.loop.mode import choose_mode
from egobench.loop.units import Pending, Unit
from egobench.plugins import load_model
from egobench.run.media import VideoFolder
from egobench.run.plan import plan, spec_of_parts
from egobench.run.spec import Settings
from egobench.run.store import open_run
from egobench.sample import Sample
from tests.conftest import Navigation


@dataclass
class HalfQueue:
    """Hands out every second unit, each once: what one of two workers gets."""

    most: int | None = 1
    handed_out: set[int] = field(default_factory=set[int])

    def take(self, units: Sequence[Unit], pending: Pending) -> Iterator[Unit]:  # noqa: ARG002 - nobody else answers
        for unit in units:
            if unit.number % 2 == 0 and unit.number not in self.handed_out:
                self.handed_out.add(unit.number)
                yield unit


@dataclass
class Progress:
    """Keeps what it receives of the progress."""

    total: int = 0
    done: int = 0
    warnings: list[str] = field(default_factory=list[str])

    def begin(self, stage: str, total: int, done: int) -> None:  # noqa: ARG002 - there is but one stage
        self.total, self.done = total, done

    def advance(self, steps: int) -> None:
        self.done += steps

    def note(self, message: str) -> None: ...

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize("settings", [{}, {"control": "blind"}, {"orders": 2}], ids=["frames", "blind", "orders"])
def test_samples_that_cannot_be_asked_are_recorded_by_who_is_handed_their_unit(
    navigation: Navigation, settings: dict[str, Any]
) -> None:
    """Twelve samples, a unit each: one of two workers is handed the even ones; 0, 1, 2, 3 and 10 cannot be asked."""
    model, queue, progress = load_model("first-choice"), HalfQueue(), Progress()
    (part,) = plan([navigation.sample_set], Settings(**settings))
    obstructed = {part.samples[number].id for number in (0, 1, 2, 3, 10)}

    def obstacle(sample: Sample) -> str:
        return "not this one" if sample.id in obstructed else ""

    with open_run(navigation.root / "runs", spec_of_parts(model.info, [part], part.settings), {}) as run:
        for _ in range(2):
            mode = replace(choose_mode(part, run, model), obstacle=obstacle)
            videos = VideoFolder(navigation.videos, part.task)
            ask_part(PartRun(part, mode, model, videos, run, progress, queue=queue))
            assert progress.done <= progress.total == 12 * part.orders
        (file,) = run.path.glob("predictions/*.jsonl")
        rows = [row for by_id in run.predictions_by_order(part.name).values() for row in by_id.values()]
        lines = file.read_text().splitlines()
    outcomes = Counter((row.id in obstructed, row.outcome) for row in rows)
    assert outcomes == {(True, "request_error"): 3 * part.orders, (False, "answered"): 3 * part.orders}
    assert len(lines) == 6 * part.orders
    assert {row.error for row in rows if row.id in obstructed} == {"not this one"}
    (warning,) = progress.warnings
    assert "5 samples cannot be asked, e.g. " in warning
