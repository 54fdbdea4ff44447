"""``egobench view``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.console import console


def view(
    runs: Annotated[list[Path], typer.Argument(help="Run folders or bundle files, shown side by side in this order.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a viewer that was there before is replaced.")],
    videos: Annotated[
        Path | None,
        typer.Option(help="Folder of videos: with it, every answer has a film strip of what the model saw."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of their sample sets, if they have moved.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Show questions and answers only where licences let the public see them.")
    ] = False,
) -> None:
    """Write pages to look at every sample: question, options, answers and how they were read, truth, frames.

    Example: egobench view runs/random/0123456789ab runs/hf/ba9876543210 --out view --videos videos
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.leaderboard.measures import SampleSets
    from egobench.leaderboard.runs import open_runs
    from egobench.leaderboard.viewer.build import write_viewer

    with ProgressObserver() as observer, open_runs(runs, observer) as opened:
        page = write_viewer(opened, out, SampleSets(data), videos=videos, public=public, observer=observer)
    console().print(f"open {page}", soft_wrap=True)
