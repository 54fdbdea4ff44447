"""The page of published numbers: the tables of the paper, what does not add up in them, and runs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..board import Board
from ..footnotes import Footnote, footnotes
from ..ledger import (
    PublishedModel,
    PublishedNumber,
    compare_with_ledger,
    published_models,
    read_ledger,
    read_sizes,
)
from .naming import run_title

BESIDE = "Exo2Ego"
"""The model whose printed numbers runs are put beside."""

MOST_RUNS = 30
"""Runs that are put beside the printed numbers, in the order of the board."""


def ledger_page(board: Board) -> dict[str, Any]:
    """The values of the page's template."""
    numbers = read_ledger()
    notes = footnotes(numbers, read_sizes())
    models = published_models(numbers)
    columns: dict[tuple[str, str], PublishedNumber] = {}
    for model in models:
        for number in model.numbers:
            columns.setdefault((number.benchmark, number.metric), number)
    own = next((model for model in models if model.name == BESIDE), None)
    runs = [run for section in board.sections if section.control is None for run in section.runs][:MOST_RUNS]
    return {
        "columns": [{"benchmark": benchmark, "metric": metric} for benchmark, metric in columns],
        "models": [_model(model, [*columns], notes) for model in models],
        "notes": notes,
        "model_beside": BESIDE,
        "beside": []
        if own is None
        else [
            {"key": run.key, "title": run_title(run), "rows": compare_with_ledger(own.numbers, run.scores)}
            for run in runs
        ],
    }


def _model(model: PublishedModel, columns: Sequence[tuple[str, str]], notes: Sequence[Footnote]) -> dict[str, Any]:
    by_column: dict[tuple[str, str], PublishedNumber] = {}
    for number in model.numbers:
        by_column.setdefault((number.benchmark, number.metric), number)
    cells = [by_column.get(column) for column in columns]
    return {
        "name": model.name,
        "variant": ", ".join(f"{key} {value}" for key, value in model.variant.items() if value != "-"),
        "numbers": [None if number is None else _cell(number, notes) for number in cells],
        "average": model.average,
    }


def _cell(number: PublishedNumber, notes: Sequence[Footnote]) -> dict[str, Any]:
    marks = [{"key": note.key, "place": place} for place, note in enumerate(notes, 1) if number in note.numbers]
    return {"printed": number.printed, "reproduced": number.reproduced, "marks": marks}
