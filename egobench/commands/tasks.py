"""``egobench tasks``."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import print_rows


def tasks(form: Form = "table", as_json: AsJson = False) -> None:
    """List the tasks: what they measure, subsets, constructions, annotation files.

    Example: egobench tasks --json
    """
    rows = task_rows()
    print_rows(rows, [tasks_table(rows)], choose_format(form, as_json=as_json))


def task_rows() -> list[dict[str, Any]]:
    """All tasks, as JSON objects."""
    from egobench.plugins import TASKS, load_task, names

    return [
        {
            "name": task.name,
            "version": task.version,
            "skill": task.skill,
            "subsets": {subset.name: [subset.headline, *subset.beside] for subset in task.subsets},
            "constructions": [*task.constructions, *task.galleries],
            "cluster": task.cluster,
            "files": {name: file.content for name, file in task.source.files.items()},
            "videos": task.source.videos,
            "paper": task.source.paper,
            "home": task.source.home,
            "licence": task.source.licence,
        }
        for task in map(load_task, names(TASKS))
    ]


def tasks_table(rows: list[dict[str, Any]]) -> Table:
    """A table with one line per task."""
    table = Table(caption="Annotation files, names of videos, licences: egobench tasks --json", caption_justify="left")
    for column in ("task", "skill", "subsets: numbers", "constructions", "clusters"):
        table.add_column(column, overflow="fold")
    for row in rows:
        subsets = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in row["subsets"].items())
        table.add_row(row["name"], row["skill"], subsets, ", ".join(row["constructions"]), row["cluster"])
    return table
