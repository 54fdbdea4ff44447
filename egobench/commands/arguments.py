"""What several commands take, and how they print JSON. Light: all of it is imported for ``--help``."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Tasks = Annotated[str | None, typer.Option(help="Only these tasks, with commas.")]
Construction = Annotated[str | None, typer.Option(help="Only sample sets of this construction.")]
SystemPrompt = Annotated[Literal["base", "task", "first_person"], typer.Option(help="System prompt.")]
Embedder = Annotated[str, typer.Option(help="Any sentence-transformers model.")]


def split(listed: str | None) -> tuple[str, ...] | None:
    """Names that were given with commas between them; ``None`` for none."""
    return tuple(name.strip() for name in listed.split(",")) if listed else None


def show(value: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
