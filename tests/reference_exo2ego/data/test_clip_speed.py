"""Speed and memory of Ego-ExoClip, measured by the benchmark in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "clips.py"


def measured(takes: int, narrations: int) -> dict[str, float]:
    command = [sys.executable, "-P", str(BENCHMARK), "--takes", str(takes), "--narrations", str(narrations)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(process.stdout)
    return result


@pytest.mark.slow
def test_twenty_thousand_narrations_a_second() -> None:
    # Of processor time, the best of three, so that whatever else the machine does counts little.
    assert max(measured(300, 90)["narrations_per_second"] for _ in range(3)) >= 20_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_times_the_takes_need_no_more_memory() -> None:
    few, many = measured(1_000, 4), measured(100_000, 4)
    assert many["narrations"] == 100 * few["narrations"]
    assert many["peak_mb"] <= 1.5 * few["peak_mb"]
