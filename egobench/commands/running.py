"""``egobench run`` and ``egobench score``: runs done, forecast and scored again, and their scores printed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from egobench.commands.progress import ProgressObserver
from egobench.commands.tables import console, run_table
from egobench.evaluate import Forecast, RunRequest, evaluate, forecast
from egobench.llm_judge.client import find_judge
from egobench.llm_judge.score import judge_run
from egobench.run.environment import environment
from egobench.run.usage import price
from egobench.scoring.score import coverage

FORECAST_COLUMNS = {
    "samples": "samples",
    "clips": "clips",
    "files": "files",
    "missing_files": "missing files",
    "frames_to_decode": "frames to decode",
    "minutes": "estimated minutes",
    "prompt_tokens": "tokens read",
    "reply_tokens": "tokens written",
    "cost": "cost",
}
"""Columns of a dry run by field of :class:`egobench.evaluate.Forecast`; the last ones where the model tells."""


def print_run(request: RunRequest, *, as_json: bool) -> float:
    """Do a run and print its scores.

    Returns:
        Its coverage: the share of samples that got a reply, in [0, 1].

    Raises:
        EgoBenchError: If the model, a sample set or the run folder cannot be used.
    """
    try:
        with ProgressObserver() as observer:
            loaded = request.load(observer)
            recorded = {"command": sys.argv, "data": str(request.data.resolve()), **environment()}
            result = evaluate(
                loaded.model,
                loaded.sets,
                request.videos,
                request.out,
                loaded.settings,
                observer=observer,
                recorded=recorded,
            )
    except KeyboardInterrupt:
        console(errors=True).print("stopped: what was answered is kept, and the same command goes on from there")
        raise
    if as_json:
        scores = {protocol_id: entry.to_json() for protocol_id, entry in result.scores.items()}
        content = {"run": str(result.path), "usage": result.usage.to_json(), "scores": scores}
        print(json.dumps(content, indent=1))  # noqa: T201
    else:
        console().print(run_table(result.scores, str(result.path)))
        if result.usage.line:
            console().print(result.usage.line, soft_wrap=True)
        console().print(f"run folder: {result.path}", soft_wrap=True)
    return coverage(result.scores.values())


def print_forecast(request: RunRequest, *, as_json: bool) -> None:
    """Print what a run would ask, open and decode, and its estimated time; nothing is kept.

    Raises:
        EgoBenchError: If the model or a sample set cannot be used.
    """
    with ProgressObserver() as observer:
        loaded = request.load(observer)
        forecasts = [forecast(loaded, sample_set, request.videos, observer) for sample_set in loaded.sets]
    if as_json:
        print(json.dumps([asdict(row) for row in forecasts], indent=1))  # noqa: T201
    else:
        console().print(_forecast_table(forecasts))


def ask_judge(path: Path, data: Path | None, url: str, model: str) -> None:
    """Have a judge grade the open answers of a run, with progress on standard error.

    Raises:
        ValueError: If the address cannot be used.
        EgoBenchError: If the run, its sample sets or the judge cannot be used.
    """
    judge = find_judge(url, model)
    with ProgressObserver() as observer:
        judge_run(path, data, judge, observer)


def _forecast_table(forecasts: list[Forecast]) -> Table:
    table = Table(title="dry run: nothing was kept", title_justify="left")
    table.add_column("sample set")
    rows = [asdict(row) for row in forecasts]
    columns = {key: title for key, title in FORECAST_COLUMNS.items() if any(row[key] is not None for row in rows)}
    for title in columns.values():
        table.add_column(title, justify="right")
    sums: dict[str, Any] = {"set": "all", **{key: sum(row[key] or 0 for row in rows) for key in columns}}
    for row in [*rows, sums]:
        table.add_section()
        table.add_row(row["set"], *(_cell(key, row[key]) for key in columns))
    return table


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return price(value) if key == "cost" else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
