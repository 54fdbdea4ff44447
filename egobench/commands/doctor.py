"""``egobench doctor``: the videos of sample sets, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from egobench.commands.progress import ProgressObserver
from egobench.commands.tables import console
from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.doctor import Health, examine

KEPT = "doctor.jsonl"
"""In the folder of sample sets: what was found out about each file."""

SHOWN = 3
"""Examples of each problem in a table; JSON has all of them."""


def check_videos(
    data: Path, videos: Path, tasks: tuple[str, ...] | None, construction: str | None, *, workers: int, decode: bool
) -> Health:
    """Look at the videos of sample sets, with progress on standard error.

    Raises:
        EgoBenchError: If a sample set or its task cannot be used, or nothing can be written beside the sample sets.
    """
    sets = [(folder, SampleSet.read(folder)) for folder in find_sets(data, tasks, construction)]
    with ProgressObserver() as observer:
        health = examine(sets, videos, data / KEPT, workers=workers, decode=decode, observer=observer)
    if health.unchanged:
        console(errors=True).print(f"{health.unchanged} files have not changed since they were last looked at")
    return health


def health_tables(health: Health) -> Iterator[Table]:
    """A line a sample set, then a few examples of each problem."""
    table = Table(caption="Coverage: share of the samples whose frames can be had", caption_justify="left")
    for column in ("sample set", "videos are stored as"):
        table.add_column(column, overflow="fold")
    for column in ("needed", "found", "readable", "samples", "answerable", "coverage"):
        table.add_column(column, justify="right")
    for one in health.sets:
        counts = map(str, (one.needed, one.found, one.readable, one.samples, one.answerable))
        table.add_row(one.set, one.layout, *counts, f"{100 * one.coverage:.1f}")
    yield table
    if any(one.problems for one in health.sets):
        yield _problems(health)


def _problems(health: Health) -> Table:
    table = Table(caption="All of them: --json", caption_justify="left")
    table.add_column("sample set")
    table.add_column("what")
    table.add_column("videos", justify="right")
    table.add_column("for example", overflow="fold")
    for one in health.sets:
        for kind, count in one.problems.items():
            words = [video.problems[kind] for video in health.videos if video.set == one.set and kind in video.problems]
            table.add_row(one.set, kind, str(count), "\n".join(words[:SHOWN]))
    return table
