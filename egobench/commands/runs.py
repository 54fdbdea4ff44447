"""``egobench runs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import SlashedText, print_rows
from egobench.commands.tables import percent

if TYPE_CHECKING:
    from egobench.scoring.overview import RunOverview


def runs(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, from egobench run --out.")],
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """List runs: model, tasks, how far they are, and their averages.

    Example: egobench runs runs
    """
    from egobench.scoring.overview import list_runs

    overviews = list(list_runs(folder))
    rows = [overview.to_json() for overview in overviews]
    print_rows(rows, [runs_table(overviews)], choose_format(form, as_json=as_json))


def runs_table(overviews: list[RunOverview]) -> Table:
    """A table with one line per run."""
    table = Table(
        caption="Avg: mean of the ten headline scores x 100, where all ten are there.", caption_justify="left"
    )
    for column in ("run", "name", "tasks", "method", "control"):
        table.add_column(column, overflow="fold")
    for column in ("limit", "state", "Avg", "Avg (debiased)"):
        table.add_column(column, justify="right")
    for row in overviews:
        limit = "-" if row.limit is None else str(row.limit)
        averages = (percent(row.avg), percent(row.avg_debiased))
        table.add_row(
            SlashedText(row.run),
            row.name,
            ", ".join(row.tasks),
            row.method,
            row.control or "-",
            limit,
            row.state,
            *averages,
        )
    return table
