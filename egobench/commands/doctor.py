"""``egobench doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Construction, Form, Tasks, choose_format, split_names
from egobench.commands.console import note, print_json, print_rows
from egobench.errors import EgoBenchError

if TYPE_CHECKING:
    from egobench.doctor import Health

CACHE = "doctor.jsonl"
"""In the folder of sample sets: what was found out about each file."""

EXAMPLES = 3
"""Examples of each problem in a table; JSON has all of them."""


def doctor(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder per task.")],
    tasks: Tasks = None,
    construction: Construction = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every frame; slow, finds all damage.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads that look at files.")] = 2,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of each sample set's samples whose frames can be had.")
    ] = 1.0,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Check the videos of sample sets: found, readable, long enough for every clip, frame rates, how they are stored.

    What is found out is kept in DATA/doctor.jsonl; the same command again looks only at files that have changed.
    Exit code 0 if every sample set is covered to --min-coverage, else 1.

    Example: egobench doctor data --videos videos
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.dataset.sampleset import SampleSet, find_sets
    from egobench.doctor import examine

    sets = [(folder, SampleSet.read(folder)) for folder in find_sets(data, split_names(tasks), construction)]
    with ProgressObserver() as observer:
        health = examine(sets, videos, data / CACHE, workers=workers, decode=decode, observer=observer)
    if health.unchanged:
        note(f"{health.unchanged} files have not changed since they were last looked at")
    chosen = choose_format(form, as_json=as_json)
    if chosen == "json":
        print_json(health.to_json())
    else:
        print_rows([asdict(video) for video in health.videos], list(health_tables(health)), chosen)
    if health.coverage < min_coverage:
        raise EgoBenchError(
            f"{health.coverage:.1%} of the samples of the least covered sample set can be shown, less than "
            f"{min_coverage:.1%}; mend what is listed above and run the same command again, or lower --min-coverage"
        )


def health_tables(health: Health) -> Iterator[Table]:
    """A table with one line per sample set, then a table with a few examples of each problem."""
    table = Table(caption="Coverage: share of the samples whose frames can be had", caption_justify="left")
    for column in ("sample set", "videos are stored as"):
        table.add_column(column, overflow="fold")
    for column in ("needed", "found", "readable", "samples", "answerable", "coverage"):
        table.add_column(column, justify="right")
    for row in health.sets:
        counts = map(str, (row.needed, row.found, row.readable, row.samples, row.answerable))
        table.add_row(row.set, row.layout, *counts, f"{100 * row.coverage:.1f}")
    yield table
    if any(row.problems for row in health.sets):
        yield _problems_table(health)


def _problems_table(health: Health) -> Table:
    table = Table(caption="All of them: --json", caption_justify="left")
    table.add_column("sample set")
    table.add_column("what")
    table.add_column("videos", justify="right")
    table.add_column("for example", overflow="fold")
    for row in health.sets:
        for kind, count in row.problems.items():
            words = [video.problems[kind] for video in health.videos if video.set == row.set and kind in video.problems]
            table.add_row(row.set, kind, str(count), "\n".join(words[:EXAMPLES]))
    return table
