"""``exo2ego report``: a training as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reference_exo2ego.commands.arguments import print_lines


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a training; it may still run.")],
    out: Annotated[Path | None, typer.Option(help="File to write; report.html in the folder if not given.")] = None,
) -> None:
    """Write one HTML page that opens from disk: curves, what trained, data, captions, scores.

    Example: exo2ego report runs/7b
    """
    from reference_exo2ego.commands.libraries import prepare_libraries

    prepare_libraries()

    from reference_exo2ego.training.report import write_report

    print_lines(str(write_report(folder, out)))
