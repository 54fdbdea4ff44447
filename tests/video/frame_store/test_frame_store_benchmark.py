"""The benchmark of the frame store at a thirtieth of its size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

BENCHMARK: Final = Path(__file__).parents[3] / "benchmarks" / "frame_store.py"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_clip_from_the_store_costs_a_twentieth_of_a_clip_from_its_file_and_is_the_same(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARK), str(tmp_path), "20", "12", "1"]
    # The benchmark is two files of one folder, which a safe path would keep apart.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    process = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr
    for figures in json.loads(process.stdout).values():
        assert figures["wrong_clips"] == 0
        assert figures["alone_over_read"] >= 20
