"""Checkpoints of a stage: folders that appear whole, so that a killed process or a full disk costs none of them.

::

    checkpoints/step-000100/    position.json, and what the engine writes
    checkpoints/.partial/       one that is being written; left by a killed process, and overwritten
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from egobench.errors import CheckpointError, ResumeError
from egobench.observer import Observer

from .processes import Processes

POSITION = "position.json"
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stage is.

    Attributes:
        step: Steps that were taken.
        steps: Steps of the stage.
        engine: The engine that wrote the checkpoint.
        processes: How many processes there were.
        clips: Clips that were shown.
        unreadable: Clips that could not be read.
        seconds: How long the steps took.
        files: Bytes of each file of the checkpoint.
    """

    step: int
    steps: int
    engine: str
    processes: int
    clips: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    files: dict[str, int] = field(default_factory=dict[str, int])


def write_checkpoint(
    folder: Path, position: Position, write: Callable[[Path], None], processes: Processes, *, keep: int
) -> Path:
    """Write a checkpoint, then delete older ones; every process calls it.

    Args:
        folder: The stage's checkpoints.
        position: Where the stage is.
        write: Writes what the engine needs into a folder.
        processes: The processes.
        keep: How many checkpoints stay, at least 1.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: If it cannot be written; what was there before stays.
    """
    partial, checkpoint = folder / PARTIAL, folder / f"step-{position.step:06d}"
    problem: Exception | None = None
    try:
        if processes.first:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        processes.wait()
        write(partial)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where a file cannot be written
        problem = error
    failures = int(processes.sums([float(problem is not None)])[0])
    if not failures and processes.first:
        try:
            _settle(partial, checkpoint, position)
        except OSError as error:
            problem = error
    failures += int(processes.sums([float(problem is not None)])[0])
    if failures:
        if processes.first:
            shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(
            f"{checkpoint}: cannot be written ({problem or 'another process failed'}); is there room? The checkpoint "
            f"before it is whole: make room and start the same command again"
        ) from problem
    if processes.first:
        for old in checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    return checkpoint


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a stage, oldest first."""
    return sorted(folder.glob("step-*"))


def latest_checkpoint(folder: Path, observer: Observer) -> Path | None:
    """The newest checkpoint that is whole; ``None`` for none.

    Args:
        folder: The stage's checkpoints.
        observer: Is warned of damaged ones, which are passed over.
    """
    for checkpoint in reversed(checkpoints(folder)):
        try:
            position = read_position(checkpoint)
        except ResumeError as error:
            observer.warn(f"{error}; an earlier checkpoint is used")
            continue
        sizes = {name: _size(checkpoint / name) for name in position.files}
        damaged = [name for name, size in position.files.items() if sizes[name] != size]
        if not damaged:
            return checkpoint
        observer.warn(f"{checkpoint}: {damaged[0]} is not as it was written; an earlier checkpoint is used")
    return None


def read_position(checkpoint: Path) -> Position:
    """Where a stage was when a checkpoint was written.

    Raises:
        ResumeError: If the checkpoint does not say.
    """
    path = checkpoint / POSITION
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Position(**values)
    except (OSError, ValueError, TypeError) as error:
        raise ResumeError(f"{path}: cannot be read ({error}); expected what training wrote") from error


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that it is either there as a whole or as it was."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _settle(partial: Path, checkpoint: Path, position: Position) -> None:
    """Put a checkpoint that was written into its place."""
    names = sorted(str(file.relative_to(partial)) for file in partial.rglob("*") if file.is_file())
    for name in names:
        with (partial / name).open("rb") as file:
            os.fsync(file.fileno())
    values = asdict(position) | {"files": {name: _size(partial / name) for name in names}}
    write_whole(partial / POSITION, json.dumps(values, indent=1) + "\n")
    shutil.rmtree(checkpoint, ignore_errors=True)
    partial.rename(checkpoint)
    _sync_folders([checkpoint, checkpoint.parent])


def _sync_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
