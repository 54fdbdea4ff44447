"""The benchmark at a thirtieth of its size; the ratios it must reach at full size are in its own output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

BENCHMARK: Final = Path(__file__).parents[2] / "benchmarks" / "video.py"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_reading_clips_costs_a_fraction_of_opening_decord_for_each(tmp_path: Path) -> None:
    for needed in ("decord", "torch"):
        pytest.importorskip(needed, reason=f"the optional package {needed} is not installed")
    command = [sys.executable, str(BENCHMARK), str(tmp_path), "20", "8", "1"]
    # The benchmark is two files of one folder, which a safe path would keep apart.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for found in report.values():
        assert found["wrong_frames"] == 0
        assert found["memory_mb"] <= 150
        assert found["decord_pil_over_egobench"] >= 2
        assert found["decord_own_over_egobench"] >= 1.3
        assert found["over_floor"] <= 2
