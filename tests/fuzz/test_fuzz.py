"""Two thousand altered inputs in every run of the tests; the command reads as many as it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.errors import EgoBenchError
from tests.fuzz.inputs import Reader, Seed
from tests.fuzz.run import fuzz


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_altered_input_crashes_hangs_or_is_refused_without_a_place() -> None:
    report = fuzz(2_000, seed=0)
    assert report.findings == []
    assert min(report.refused.values()) > 0


def test_a_crash_and_a_refusal_without_a_place_are_findings() -> None:
    def seeds(root: Path) -> list[Seed]:
        (root / "f").mkdir(parents=True)
        (root / "f" / "file.json").write_text("{}")
        return [Seed(root / "f", "file.json")]

    def crash(seed: Seed) -> None:
        raise KeyError(seed.file)

    def refuse(seed: Seed) -> None:
        raise EgoBenchError("no" if seed.file else "")

    readers = [
        Reader("crash", lambda root: iter(seeds(root)), crash),
        Reader("no", lambda root: iter(seeds(root)), refuse),
    ]
    findings = fuzz(2, seed=0, readers=readers).findings
    assert ["KeyError" in findings[0], "names no place" in findings[1]] == [True, True]
