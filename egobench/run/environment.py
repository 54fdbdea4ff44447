"""The environment of a run: what is recorded of where it was done, and is never part of its identity."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LIBRARIES = ("av", "decord", "numpy", "pillow", "torch", "torchcodec", "torchvision", "transformers")


def environment() -> dict[str, Any]:
    """Python, libraries and machine, as a JSON object."""
    libraries: dict[str, str] = {}
    for library in LIBRARIES:
        try:
            libraries[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "libraries": libraries,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
