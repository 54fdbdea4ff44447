"""From runs and bundles on disk to a site: the board, and pages of samples where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from egobench.observer import Observer, SilentObserver

from ..board import Board, make_board
from ..measures import SampleSets
from ..runs import open_runs
from ..viewer.build import write_viewer
from .build import FOLDERS, new_site, write_site

SamplePages = Literal["none", "public", "all"]
"""Which pages of samples there are: none, with texts where their licence allows it, or with all texts."""

SIDE_BY_SIDE = 6
"""Runs that share one viewer; of more, each has its own."""


def publish(
    paths: Sequence[Path],
    out: Path,
    *,
    data: Path | None = None,
    title: str = "EgoBench leaderboard",
    samples: SamplePages = "none",
    videos: Path | None = None,
    observer: Observer | None = None,
) -> Path:
    """Build the site of some runs.

    Args:
        paths: Run folders, bundle files, and folders of these.
        out: Folder of the site; one that was built there before is replaced.
        data: Folder of their sample sets; ``None`` for where they were when each run was done.
        title: What the site is called.
        samples: Which pages of samples there are.
        videos: Folder of videos, for film strips; ``None`` for none.
        observer: Receives the progress.

    Returns:
        The page to open.

    Raises:
        BundleError: If a path holds neither a run nor a bundle, or a file may do harm.
        StoreError: If no run is left, or the rows of one are damaged.
        SampleSetError: If pages of samples are asked for and a sample set is not at hand.
        SiteError: If the folder holds something else, or cannot be written.
    """
    observer = observer or SilentObserver()
    sets = SampleSets(data)
    with open_runs(paths, observer) as runs:
        board = make_board(runs, sets, observer)
        addresses = {} if samples == "none" else _addresses(board)
        ordered = [run for section in board.sections for run in section.runs]
        groups = [ordered] if len(ordered) <= SIDE_BY_SIDE else [[run] for run in ordered]
        with new_site(out, "board", FOLDERS) as site:
            write_site(board, site, title=title, samples=addresses)
            for group in groups if addresses else ():
                folder = site / addresses[group[0].key].partition("index.html")[0]
                write_viewer(
                    group,
                    folder,
                    sets,
                    videos=videos,
                    public=samples == "public",
                    home="../" * (len(folder.relative_to(site).parts)) + "index.html",
                    observer=observer,
                )
    return out / "index.html"


def _addresses(board: Board) -> dict[str, str]:
    """Where the samples of each run are shown, by run key."""
    if len(board.runs) <= SIDE_BY_SIDE:
        return {run.key: f"samples/index.html#run={run.key}" for run in board.runs}
    return {run.key: f"samples/{run.key}/index.html" for run in board.runs}
