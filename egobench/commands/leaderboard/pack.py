"""``egobench leaderboard pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.console import console


def pack(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="The file to write, e.g. my-model.zip.")],
    data: Annotated[Path | None, typer.Option(help="Folder of its sample sets, if they have moved.")] = None,
) -> None:
    """Pack a finished run into one file for a leaderboard: spec, predictions, scores and checksums.

    It holds no question, no option, no reference answer and no frame; what a reply repeats of them is replaced by a
    reference that only somebody with the same sample set can restore.

    Example: egobench leaderboard pack runs/random/0123456789ab --out random.zip
    """
    from egobench.leaderboard.bundle import pack as pack_run

    path = pack_run(run, out, data)
    console().print(f"{path}: {path.stat().st_size:,} bytes", soft_wrap=True)
