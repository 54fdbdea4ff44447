"""``egobench new``."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import typer

from egobench.errors import DISTRIBUTION, EgoBenchError

TARGETS = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "module.py.txt": "$module.py",
    "test_module.py.txt": "tests/test_$module.py",
}


def new(
    kind: Annotated[Literal["task", "model"], typer.Argument(help="What to make.")],
    name: Annotated[str, typer.Argument(help="Its name, e.g. my-task.")],
    out: Annotated[Path, typer.Option(help="Folder to write the package to.")] = Path(),
) -> None:
    """Write a documented plugin of your own, with its test, ready to install.

    Example: egobench new task my-task

    Example: egobench new model my-model
    """
    for path in new_plugin(kind, name, out):
        typer.echo(path)


def new_plugin(kind: str, name: str, out: Path) -> list[Path]:
    """Write a plugin's package.

    Args:
        kind: What it is: ``"task"`` or ``"model"``.
        name: Its name: small letters, digits and ``-``, beginning with a letter.
        out: Folder in which its folder ``egobench-<name>`` is made.

    Returns:
        The files written.

    Raises:
        ValueError: If the name cannot be one.
        EgoBenchError: If its folder exists or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ValueError(f"{name!r} is no name for a {kind}; use small letters, digits and -, e.g. my-{kind}")
    distribution = f"egobench-{name}"
    if distribution == DISTRIBUTION:
        raise ValueError(
            f"{name!r} is no name for a {kind}: its package would be called {DISTRIBUTION}, as EgoBench is"
        )
    folder = out / distribution
    words = {"name": name, "module": f"egobench_{name.replace('-', '_')}"}
    written: list[Path] = []
    try:
        folder.mkdir(parents=True)
        for source, target in TARGETS.items():
            path = folder / Template(target).substitute(words)
            path.parent.mkdir(exist_ok=True)
            text = (files("egobench.commands") / "templates" / kind / source).read_text(encoding="utf-8")
            path.write_text(Template(text).substitute(words), encoding="utf-8")
            written.append(path)
    except FileExistsError as error:
        raise EgoBenchError(f"{folder} exists already; choose another name or --out") from error
    except OSError as error:
        raise EgoBenchError(f"cannot write {folder}: {error.strerror}") from error
    return written
