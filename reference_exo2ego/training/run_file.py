"""``run.json``: what a training is known by, so that nothing goes on with another recipe or other data."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from egobench.errors import JsonInputError, ResumeError, bare_reason
from egobench.json_input import read_json
from egobench.printable import printable
from egobench.validation import reason_of
from egobench.whole_file import replace_file

from .recipe import Recipe, recipe_of

FORMAT = 1
RUN = "run.json"
MAY_CHANGE = ".unreadable"
"""Ending of the names of values that a training may go on with another of: they only say when it stops."""


class RunFile(BaseModel):
    """The content of a training's ``run.json``.

    Attributes:
        format: Version of the file.
        fingerprint: The recipe's.
        recipe: The recipe as plain values.
        data: SHA-256 by file, by stage.
        versions: Of libraries, by name.
        command: The command line, the program's path first.
        begun_from: By stage, the digest of the model that it was told to begin from; ``""`` for the one that it begins
            from by itself. Files of earlier releases have none.
    """

    model_config = ConfigDict(strict=True)

    format: Literal[1]
    fingerprint: str
    recipe: dict[str, Any]
    data: dict[str, dict[str, str]]
    versions: dict[str, str]
    command: list[str] = Field(min_length=1)
    begun_from: dict[str, str] = Field(default_factory=dict[str, str])


def read_run(folder: Path) -> dict[str, Any]:
    """What a training's ``run.json`` says.

    Raises:
        ResumeError: If there is none, or it is of another version.
    """
    path = folder / RUN
    try:
        values: Any = read_json(path.read_bytes(), str(path))
        written = values.get("format", FORMAT) if isinstance(values, dict) else FORMAT
        if written != FORMAT:
            raise ResumeError(f"{path}: version {written!r:.40}, this release reads {FORMAT}; train anew elsewhere")
        return RunFile.model_validate(values).model_dump()
    except (OSError, JsonInputError, ValidationError) as error:
        raise ResumeError(
            f"{path}: cannot be read ({reason_of(error)}); expected a folder that exo2ego train wrote"
        ) from error


def check_recipe(folder: Path, recipe: Recipe) -> None:
    """Write down what is trained in a folder, or compare it with what was written down.

    A training whose first stage never had its data is none yet: another one takes its place.

    Raises:
        ResumeError: If the folder holds another training.
        RecipeError: If the recipe that was written down is none.
        OSError: If the folder cannot be written.
    """
    before = read_run(folder) if (folder / RUN).is_file() else None
    known = {"fingerprint": recipe.fingerprint, "recipe": recipe.model_dump(mode="json")}
    if before is None or (not before["data"] and before["fingerprint"] != recipe.fingerprint):
        values: dict[str, Any] = {
            "format": FORMAT,
            **known,
            "data": {},
            "versions": {name: version(name) for name in ("torch", "transformers", "peft", "numpy")},
            "command": [printable(word) for word in sys.argv],
        }
        replace_file(folder / RUN, json.dumps(values, indent=1) + "\n")
        return
    if before["fingerprint"] != recipe.fingerprint:
        theirs, ours = recipe_of(before["recipe"], str(folder / RUN)).deciding(), recipe.deciding()
        other = [
            f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
            for name in dict.fromkeys([*ours, *theirs])
            if theirs.get(name) != ours.get(name) and not name.endswith(MAY_CHANGE)
        ]
        if other:
            raise ResumeError(
                f"{folder}: holds another training: {'; '.join(other[:5])}; name another folder with --out, or train "
                f"with the same recipe"
            )
        replace_file(folder / RUN, json.dumps(before | known, indent=1) + "\n")


def check_data(folder: Path, stage: str, digests: Mapping[str, str]) -> None:
    """Write down what a stage is trained on, or compare it with what was written down.

    Raises:
        ResumeError: If a file has changed since.
    """
    values = read_run(folder)
    before = values["data"].get(stage)
    if before is None:
        values["data"][stage] = dict(digests)
        replace_file(folder / RUN, json.dumps(values, indent=1) + "\n")
        return
    changed = sorted(name for name in before.keys() | digests.keys() if before.get(name) != digests.get(name))
    if changed:
        raise ResumeError(
            f"{stage}: {', '.join(changed)} changed since the stage was begun in {folder}; put the old data back, or "
            f"train in another folder"
        )


def check_beginning(folder: Path, stage: str, before: Path | None) -> None:
    """Write down which model a stage was told to begin from, or compare it with what was written down.

    A checkpoint holds what trains: all that is frozen comes from there each time.

    Args:
        folder: The training's folder.
        stage: The stage.
        before: The model; ``None`` where it was told none.

    Raises:
        ResumeError: If it was begun from another one, or the model cannot be read.
    """
    values = read_run(folder)
    digest = "" if before is None else _folder_digest(before)
    recorded = values["begun_from"].setdefault(stage, digest)
    if recorded != digest:
        earlier = "another model" if recorded else "no model that was named"
        raise ResumeError(
            f"{stage}: was begun in {folder} with {earlier} after --from, and goes on with that alone; give the same "
            f"--from, or train in another folder"
        )
    replace_file(folder / RUN, json.dumps(values, indent=1) + "\n")


def _folder_digest(folder: Path) -> str:
    """SHA-256 of all files of a folder, their names included."""
    whole = sha256()
    try:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode(errors="surrogateescape"))
    except OSError as error:
        raise ResumeError(f"{folder}: cannot be read ({bare_reason(error)}); expected a model to begin from") from error
    return whole.hexdigest()
