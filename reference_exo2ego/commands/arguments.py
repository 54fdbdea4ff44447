"""Arguments that several commands have, and what they print alike. Light: all of it is imported for ``--help``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from egobench.commands.console import console, print_json

if TYPE_CHECKING:
    from egobench.annotations import Annotations

Out = Annotated[Path, typer.Option(help="File of training samples to write, .jsonl or .json.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave malformed rows out, each noted.")]

EXAMPLES = 5
"""Rows left out that are printed; JSON has all of them."""


def print_written(out: Path, samples: int, *annotations: Annotations, as_json: bool, paper: int | None = None) -> None:
    """Print how many training samples were written, and what was left out of the files that they come from.

    Args:
        out: The file.
        samples: Training samples in it.
        annotations: The files that they come from.
        as_json: Print JSON instead.
        paper: How many the paper has, rounded there.
    """
    left_out = [row for files in annotations for row in files.dropped]
    if as_json:
        sources = {str(files.folder / name): digest for files in annotations for name, digest in files.sources.items()}
        beside: dict[str, Any] = {} if paper is None else {"paper": paper}
        print_json({"out": str(out), "samples": samples, **beside, "left_out": left_out, "sources": sources})
        return
    beside_paper = "" if paper is None else f" (paper: {paper:,})"
    print_lines(f"{out}: {samples:,} samples{beside_paper}")
    print_lines(*(f"left out: {row['id']}: {row['reason']}" for row in left_out[:EXAMPLES]))
    if len(left_out) > EXAMPLES:
        print_lines(f"left out: {len(left_out) - EXAMPLES:,} more; --json lists all of them")


def print_lines(*lines: str) -> None:
    """Print lines as they are, however long."""
    for line in lines:
        console().print(line, soft_wrap=True)
