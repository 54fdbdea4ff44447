"""What pages show of a number: cells of tables, points of charts, and differences of two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..board import Number, Pairs, Section
from ..runs import BoardRun
from .naming import run_page, run_title
from .plots import scatter
from .points import Floors, Point


def floors_of(number: Number) -> Floors:
    """Return chance and blind figures of a number; an average has none."""
    example = number.example
    return Floors() if example is None else Floors(example.chance, example.blind, example.blind_trained)


def cell_of(number: Number, run: BoardRun, section: Section) -> dict[str, Any]:
    """Return what a table shows of a run's number."""
    score, entry = number.estimates.get(run.key), number.entry_of(run)
    if score is None:
        return {"value": None, "problem": "" if entry is None else entry.problem or "no value", "entry": entry}
    rank = section.ranks.get((number.key, run.key))
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "rank": rank,
        "best": rank is not None and rank.best == 1,
        "partial": entry is not None and entry.partial,
        "entry": entry,
        "problem": "" if entry is None else entry.problem or "",
    }


def point_of(number: Number, run: BoardRun, section: Section, root: str = "") -> Point:
    """Return what a chart draws of a run's number, which must have a value."""
    score, entry = number.estimates[run.key], number.entry_of(run)
    rank = section.ranks.get((number.key, run.key))
    return Point(
        run_title(run),
        score.value,
        score.low,
        score.high,
        note="" if rank is None else str(rank).replace("-", "\N{EN DASH}"),
        page=run_page(run, root),
        partial=entry is not None and entry.partial,
    )


def scatters(title: str, number: Number, points: Sequence[tuple[BoardRun, Point]]) -> Iterator[dict[str, Any]]:
    """Draw a number against frames and against parameters, wherever runs differ in them.

    Args:
        title: What the number is called.
        number: The number.
        points: Runs and their scores.
    """
    task = number.measure.part.task if number.measure else ""
    frames = {run.key: run.frames.get(task, "") for run, _ in points}
    x_by_run: Mapping[str, Mapping[str, float]] = {
        # A rate, such as "1 fps, at most 64", is no number of frames.
        "frames per clip": {key: float(count) for key, count in frames.items() if count.isdigit()},
        "parameters": {run.key: run.parameters for run, _ in points if run.parameters},
    }
    for x_name, by_run in x_by_run.items():
        placed = [replace(point, x=by_run[run.key]) for run, point in points if run.key in by_run]
        if len({point.x for point in placed}) > 1:
            chart = scatter(title, placed, floors_of(number), x_name=x_name, logarithmic=x_name == "parameters")
            yield {"name": x_name, "chart": chart}


def difference_of(table: Pairs, first: str, second: str) -> dict[str, float]:
    """Return the difference of two runs, its 95 % interval within [-1, 1], and the p-value.

    Args:
        table: The tests of a number.
        first: Key of the run that the other is subtracted from.
        second: Key of the other run.
    """
    from scipy import special  # noqa: PLC0415 - only boards with controls

    library: Any = special
    row, column = table.keys.index(first), table.keys.index(second)
    effect, error = float(table.effects[row, column]), float(table.errors[row, column])
    half = float(library.stdtrit(table.clusters - 1, 0.975)) * error
    return {
        "effect": effect,
        "low": max(-1.0, effect - half),
        "high": min(1.0, effect + half),
        "p": float(table.p[row, column]),
    }
