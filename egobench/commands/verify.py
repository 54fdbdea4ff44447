"""``egobench verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import console, print_rows
from egobench.errors import ChecksumError


def verify(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Check that the files of a finished run are those that were signed.

    Exit code 0 if all are, else 1.

    Example: egobench verify runs/random/0123456789ab
    """
    from egobench.run.checksums import verify_run
    from egobench.run.store import read_run

    read_run(run)
    problems = verify_run(run)
    chosen = choose_format(form, as_json=as_json)
    if problems or chosen != "table":
        table = Table("file", "problem")
        for problem in problems:
            table.add_row(*problem)
        print_rows([problem._asdict() for problem in problems], [table], chosen)
    else:
        console().print(f"{run}: all files are as they were signed", soft_wrap=True)
    if problems:
        raise ChecksumError(f"{run}: {len(problems)} files are not as they were signed")
