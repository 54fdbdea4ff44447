"""Checkpoints of a stage: folders that appear whole, so that a killed process or a full disk costs none of them.

::

    checkpoints/step-000100/    position.json, and what the engine writes
    checkpoints/.partial/       one that is being written; left by a killed process, and overwritten
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from egobench.errors import CheckpointError, JsonInputError, ResumeError, TrainingError, bare_reason
from egobench.json_input import read_json
from egobench.observer import Observer
from egobench.validation import reason_of
from egobench.whole_file import replace_file

from .files import PARTIAL
from .processes import Processes

POSITION = "position.json"


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
        files: Bytes of each file of the checkpoint.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}

    step: int
    steps: int
    engine: str
    processes: int
    clips: int = 0
    unreadable: int = 0
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
    partial, checkpoint = folder / PARTIAL, folder / _name(position.step)
    try:
        with processes.together("its folder"):
            if processes.first:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
        with processes.together("what the engine writes"):
            write(partial)
        with processes.together("moving it to its place"):
            if processes.first:
                _settle(partial, checkpoint, position)
    except (OSError, RuntimeError, TrainingError) as error:  # torch's writer raises RuntimeError for a full disk
        if processes.first:
            shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(
            f"{checkpoint}: cannot be written ({bare_reason(error)}); is there room? The checkpoint before it is "
            f"whole: make room and start the same command again"
        ) from error
    with processes.together(f"{folder}: deleting older checkpoints"):
        if processes.first:
            _delete(checkpoints(folder)[:-keep])
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
            observer.warn(f"{error}; this checkpoint is passed over")
            continue
        damaged = [name for name, size in position.files.items() if not _is_whole(checkpoint / name, size)]
        if not damaged:
            return checkpoint
        observer.warn(f"{checkpoint}: {damaged[0]} is not as it was written; this checkpoint is passed over")
    return None


def read_position(checkpoint: Path) -> Position:
    """Where a stage was when a checkpoint was written.

    Raises:
        ResumeError: If the checkpoint does not say.
    """
    path = checkpoint / POSITION
    try:
        values: Any = read_json(path.read_bytes(), str(path))
        sound = _take_checksum(values)
        position: Position = TypeAdapter(Position).validate_json(json.dumps(values), strict=True)
    except (OSError, JsonInputError, ValidationError) as error:
        raise ResumeError(f"{path}: cannot be read ({reason_of(error)}); expected what training wrote") from error
    if not sound or checkpoint.name != _name(position.step):
        raise ResumeError(f"{path}: is not as it was written; expected what training wrote")
    return position


def check_fit(checkpoint: Path, *, steps: int, engine: str, processes: int) -> None:
    """Refuse a checkpoint that a stage cannot go on from.

    Args:
        checkpoint: The checkpoint.
        steps: Steps of the stage.
        engine: The engine that is to go on, by the name that its checkpoints are known by.
        processes: How many processes are to go on.

    Raises:
        ResumeError: If it is of a stage of other steps, another engine or stage of ZeRO wrote it, or another number of
            processes with ZeRO-3.
    """
    position = read_position(checkpoint)
    if position.steps != steps:
        raise ResumeError(f"{checkpoint}: of a stage of {position.steps} steps, here {steps}; train in another folder")
    if position.engine != engine:
        plain = position.engine == "torch"
        option = "--engine torch" if plain else f"--deepspeed {position.engine.rpartition('-')[2]}"
        raise ResumeError(
            f"{checkpoint}: written by the engine {position.engine!r}, and {engine!r} cannot go on from it; go on with "
            f"{option}, or begin the stage anew in another folder"
        )
    # DeepSpeed 0.19 rewrites it for another number of them without an error, and steps come out otherwise than before.
    if engine.endswith("ZeRO-3") and position.processes != processes:
        raise ResumeError(
            f"{checkpoint}: written by {position.processes} processes with ZeRO-3, here {processes}, which cannot go "
            f"on from it exactly; go on with {position.processes}, or begin the stage anew in another folder"
        )


def _delete(old: Sequence[Path]) -> None:
    for checkpoint in old:
        try:
            shutil.rmtree(checkpoint)
        except OSError as error:
            raise CheckpointError(
                f"{checkpoint}: cannot be deleted ({bare_reason(error)}); delete it, and start the same command again"
            ) from error


def _settle(partial: Path, checkpoint: Path, position: Position) -> None:
    """Make sure that a checkpoint is on the disk, and move it to its place."""
    names = sorted(str(file.relative_to(partial)) for file in partial.rglob("*") if file.is_file())
    for name in names:
        with (partial / name).open("rb") as file:
            os.fsync(file.fileno())
    values = asdict(position) | {"files": {name: _size(partial / name) for name in names}}
    replace_file(partial / POSITION, json.dumps(values | {"crc32": _checksum(values)}, indent=1) + "\n")
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
    """Bytes of a file, -1 where there is none or can be none of such a name."""
    try:
        return path.stat().st_size if path.is_file() else -1
    except OSError:
        return -1


def _is_whole(path: Path, size: int) -> bool:
    """Whether a file is as it was written: its length, and the checksums that torch puts into its own, which are zips.

    Torch itself does not compare them when it reads.
    """
    if _size(path) != size:
        return False
    if path.suffix != ".pt":
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        return False


def _name(step: int) -> str:
    return f"step-{step:06d}"


def _take_checksum(values: Any) -> bool:
    """Take what is no part of a position out of its values, and tell whether their checksum is right."""
    if not isinstance(values, dict):
        return True
    # Checkpoints of earlier releases have no checksum, and besides how long their steps took.
    checksum = values.pop("crc32", None)
    sound = checksum in (None, _checksum(values))
    values.pop("seconds", None)
    return sound


def _checksum(values: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())
