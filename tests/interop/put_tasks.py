"""The tasks of the small QAEgo4D as lmms-eval names them, and how each was written for it."""

from __future__ import annotations

import json
from pathlib import Path

from egobench.interop.lmms_documents import Presentation

CLOSED, OPEN = "egobench_qaego4d_closed", "egobench_qaego4d_open"


def put_in(folder: Path, task: str) -> Presentation:
    """Read how a task that was written for lmms-eval asks its questions."""
    return Presentation(**json.loads(json.loads((folder / f"{task}.json").read_text())["egobench"]))
