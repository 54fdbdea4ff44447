"""The command line, run as a person runs it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EGOBENCH = (sys.executable, "-m", "egobench")
"""What a command begins with."""


def egobench(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        arguments: The command and its options.
        cwd: Folder to run it in.
        environment: Variables set beside those of the tests.
    """
    return subprocess.run(
        [*EGOBENCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )
