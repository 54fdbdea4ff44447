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
    """Names with commas between them, as a tuple; ``None`` for none."""
    return tuple(name.strip() for name in names.split(",")) if names else None


def choose_format(form: Format, *, as_json: bool) -> Format:
    """The form that ``--format`` and its short form ``--json`` ask for together."""
    return "json" if as_json else form
