"""``egobench leaderboard build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from egobench.commands.console import console


def build(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, bundle files, and folders of these.")],
    out: Annotated[Path, typer.Option(help="Folder of the site; one that was built there before is replaced.")],
    data: Annotated[Path | None, typer.Option(help="Folder of their sample sets, if they have moved.")] = None,
    title: Annotated[str, typer.Option(help="What the site is called.")] = "EgoBench leaderboard",
    samples: Annotated[
        Literal["none", "public", "all"],
        typer.Option(
            help="Pages of every sample: none; with questions and answers where licences let the public see them; or "
            "with all of them, for yourself."
        ),
    ] = "none",
    videos: Annotated[
        Path | None, typer.Option(help="Folder of videos: with it, sample pages have film strips of what models saw.")
    ] = None,
) -> None:
    """Build the site of a leaderboard: static pages that open from the disk, without a network.

    Example: egobench leaderboard build runs --out site
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.leaderboard.site.publish import publish

    if videos is not None and samples == "none":
        raise typer.BadParameter("--videos goes with --samples public or --samples all")
    with ProgressObserver() as observer:
        page = publish(
            runs, out, data=data, title=title, samples=samples, videos=videos, observer=observer
        )  # fmt: skip
    console().print(f"open {page}", soft_wrap=True)
