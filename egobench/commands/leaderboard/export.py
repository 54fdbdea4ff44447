"""``egobench leaderboard export``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    submission: Annotated[Path, typer.Argument(help="A run folder, or a bundle file.")],
    form: Annotated[
        Literal["every-eval-ever", "hf-eval-results", "inspect"], typer.Option("--format", help="The format.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    developer: Annotated[str, typer.Option(help="Who made the model, as the Hub names them.")] = "unknown",
    organization: Annotated[str, typer.Option(help="Who evaluated it.")] = "unknown",
    url: Annotated[str, typer.Option(help="A page about the evaluation.")] = "",
    dataset: Annotated[str, typer.Option(help="The data set on the Hub whose leaderboard shows it.")] = "",
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the evaluation; today if not given.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of its sample sets: samples get scores (inspect).")] = None,
    texts: Annotated[
        bool, typer.Option("--texts", help="Show questions, options and right answers, to your own eyes (inspect).")
    ] = False,
) -> None:
    """Export a submission: the Every Eval Ever schema, results of the Hugging Face Hub, or Inspect logs.

    Example: egobench leaderboard export random.zip --format every-eval-ever --out store --organization my-lab

    Example: egobench leaderboard export runs/hf/0123456789ab --format hf-eval-results --out my-model
    --dataset my-lab/egobench --url https://example.org/egobench

    Example: egobench leaderboard export runs/hf/0123456789ab --format inspect --out logs --data data
    """
    from egobench.leaderboard.exports import Attribution, export_submission

    day = (date or datetime.now(UTC)).date()
    attribution = Attribution(day, developer, organization, url, dataset)
    for path in export_submission(submission, out, form, attribution, data=data, texts=texts):
        typer.echo(path)
