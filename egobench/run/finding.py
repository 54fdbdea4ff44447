"""Where run folders lie: the one of a spec, and all that there are below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from egobench.errors import JsonInputError
from egobench.json_input import read_json

if TYPE_CHECKING:
    from egobench.run.spec import RunSpec

RUN_FILE = "run.json"
"""What a folder has that is a run's; the folder of a training has one too, with a recipe in it."""


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, behind links as well, by name; each real folder once, under its first name.

    Args:
        folder: The folder; without it there are none.
    """
    visited: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def find_run_folders(folder: Path) -> list[Path]:
    """Find the run folders at or below a folder, damaged ones too, but no folders of trainings; sorted."""
    return sorted(file.parent for file in files_below(folder) if file.name == RUN_FILE and not _of_training(file))


def _of_training(file: Path) -> bool:
    try:
        content: Any = read_json(file.read_bytes(), str(file))
    except (OSError, JsonInputError):
        return False
    return isinstance(content, dict) and "recipe" in content and "spec" not in content


def run_folder(root: Path, spec: RunSpec) -> Path:
    """Where the run of a spec lies below a folder of runs.

    Raises:
        ValueError: If the model's name leads out of the folder of runs.
    """
    name = str(spec.model["name"])
    if PurePosixPath(name).is_absolute() or {"..", ".", ""} & set(name.split("/")) or not name.isprintable():
        raise ValueError(f"model name {name!r} cannot name a folder of runs; expected a name such as qwen2-vl-7b")
    return root / name / spec.id
