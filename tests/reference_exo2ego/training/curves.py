"""Trains one stage several times in as many processes as it is started with: ``curves.py JOBS.json``.

The file holds ``recipe``, ``data``, ``out`` and ``jobs``: of each its ``name``, ``zero`` (0 to 3, or null for torch
alone), ``stops`` (after how many steps it stops, one call after the other; then it runs to its end), and ``changes`` of
the recipe.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from egobench.torchvision_ops import ensure_torchvision

torch.set_num_threads(1)
ensure_torchvision()

from reference_exo2ego.training.loop import LoopSettings  # noqa: E402
from reference_exo2ego.training.processes import begin_processes, end_processes  # noqa: E402
from reference_exo2ego.training.recipe import recipe_of  # noqa: E402
from reference_exo2ego.training.run import Training, own_folder  # noqa: E402
from reference_exo2ego.training.tracking import LOG, JsonLines, Tracker  # noqa: E402
from reference_exo2ego.training.zero import read_zero  # noqa: E402


def main(path: str) -> None:
    """Do all jobs of a file."""
    work: dict[str, Any] = json.loads(Path(path).read_text())
    processes = begin_processes()
    for job in work["jobs"]:
        folder = Path(work["out"]) / job["name"]
        zero = job["zero"]
        training = Training(
            recipe=recipe_of(work["recipe"] | job.get("changes", {}), "test"),
            folder=folder,
            data=Path(work["data"]),
            engine="torch" if zero is None else "deepspeed",
            zero={} if zero is None else read_zero(str(zero)),
            processes=processes,
        )
        for stop in (*job.get("stops", ()), None):
            if stop == "leave":
                break
            settings = LoopSettings(workers=0, save_every=0, log_every=1, stop_after=stop)
            with own_folder(training):
                tracker = Tracker([JsonLines(folder / LOG)] if processes.first else [])
                replace(training, settings=settings, tracker=tracker).run()
                tracker.close()
    end_processes()


if __name__ == "__main__":
    main(sys.argv[1])
