"""``exo2ego ablate``: what each part of Exo2Ego adds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM, default_int_handler, signal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, split_names
from egobench.commands.console import console, note, print_json

if TYPE_CHECKING:
    from reference_exo2ego.training.ablation.forecast import WorkForecast
    from reference_exo2ego.training.ablation.questions import MeanScore, Questions


def ablate(
    recipe: Annotated[str, typer.Argument(help="Recipe that is varied: its name, or a Python file with RECIPE.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Dotted overrides, e.g. stage3.steps=200.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of training data.")] = ...,  # type: ignore[assignment]
    sets: Annotated[Path, typer.Option("--sample-sets", help="Folder of sample sets, from egobench build.")] = ...,  # type: ignore[assignment]
    videos: Annotated[Path, typer.Option(help="Folder of the sample sets' videos.")] = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier ablation there is gone on with.")] = ...,  # type: ignore[assignment]
    store: Annotated[Path | None, typer.Option("--frame-store", help="Frame store of the training videos.")] = None,
    only: Annotated[str | None, typer.Option(help="Only these variants or tables, with commas.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, with commas.")] = "0,1,2",
    shares: Annotated[str, typer.Option(help="Shares of egocentric data of the curve.")] = "1,0.3,0.1,0.03",
    detect: Annotated[
        float, typer.Option(help="Difference to be found, in [0, 1]: decides how many questions are asked.")
    ] = 0.02,
    method: Annotated[
        Literal["generate", "likelihood-sum", "likelihood-mean", "likelihood-letter"],
        typer.Option(help="How an answer becomes a number."),
    ] = "likelihood-sum",
    timings: Annotated[list[Path] | None, typer.Option(help="Folders of trainings whose logs tell the time.")] = None,
    page: Annotated[Path | None, typer.Option(help="A page to write the results into as well.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and how long.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before beginning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train and ask variants of a recipe: the paper's Tables 7, 8, 9, 15 and 16, and scarce egocentric data.

    A training that several variants have in common is done once, and none is ever done again: the same command goes on
    after any stop. Several processes may work in one folder, e.g. with other --seeds.

    Example: exo2ego ablate tiny --data train --sample-sets data --videos videos --out ablations --dry-run

    Example: exo2ego ablate tiny --only table7,without-kl --data train --sample-sets data --videos videos --out ablations
    """
