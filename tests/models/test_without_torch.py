"""Local models where torch is not installed: one line that says what to install."""

from __future__ import annotations

import subprocess
import sys

LOCAL = ("dual-encoder", "exo2ego", "hf", "videochat2", "videollama2")

TRY = """
import sys
sys.modules["torch"] = None
from egobench.errors import ModelError
from egobench.plugins import load_model
for name in sys.argv[1:]:
    try:
        load_model(name, checkpoint="anything")
    except ModelError as error:
        print(error)
"""


def test_local_models_say_what_to_install() -> None:
    # In a process of its own, in which nothing has imported torch before.
    done = subprocess.run([sys.executable, "-P", "-c", TRY, *LOCAL], capture_output=True, text=True, check=False)
    told = done.stdout.splitlines()
    assert len(told) == len(LOCAL), done.stderr
    for name, line in zip(LOCAL, told, strict=True):
        assert line.startswith(f"model '{name}' needs torch and transformers (")
        assert line.endswith("); install them: pip install 'egobench-eval[models]'")
