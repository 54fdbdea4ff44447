"""Arguments that several commands have. Light: all of it is imported for ``--help``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from egobench.commands.console import Format

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: the same as --format json.")]
Form = Annotated[Format, typer.Option("--format", help="How the table is printed.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Tasks = Annotated[str | None, typer.Option(help="Only these tasks, with commas.")]
Construction = Annotated[str | None, typer.Option(help="Only sample sets of this construction.")]
SystemPrompt = Annotated[Literal["base", "task", "first_person"], typer.Option(help="System prompt.")]
Embedder = Annotated[str, typer.Option(help="Any sentence-transformers model.")]


def split_names(names: str | None) -> tuple[str, ...] | None:
    """Names with commas between them, each once; ``None`` where the option was not given.

    Raises:
        ValueError: If the option was given without a name, as by a variable of the shell that is not set.
    """
    if names is None:
        return None
    split = tuple(dict.fromkeys(name for part in names.split(",") if (name := part.strip())))
    if not split:
        raise ValueError(f"{names!r} names nothing; expected names with commas between them, or no such option")
    return split


def choose_format(form: Format, *, as_json: bool) -> Format:
    """The form that ``--format`` and its short form ``--json`` ask for together."""
    return "json" if as_json else form
