"""What the page of comparisons reads: runs, numbers, and the paired test of every two runs, as compact as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from egobench.printable import printable
from egobench.statistics.clustered import LEVEL

from ..board import Board, Number, pairs
from .naming import Heading, run_page, run_title, section_title


def comparison_script(board: Board, heading: Callable[[Number], Heading]) -> str:
    """A classic script that leaves the data of a board in ``EGOBENCH``."""
    places = {run.key: place for place, run in enumerate(board.runs)}
    runs = [
        {
            "key": run.key,
            "title": run_title(run),
            "page": run_page(run),
            "section": section_title(run.method, run.spec.control),
            "level": run.level,
        }
        for run in board.runs
    ]
    data = {"runs": runs, "numbers": [_number(number, heading(number), places) for number in board.numbers]}
    return f"var EGOBENCH = {script_json(data)};\n"


def script_json(value: Any) -> str:
    """JSON that can stand in a script, whatever texts are in it."""
    text = json.dumps(_visible(value), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _visible(member) for key, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_visible(member) for member in cast("list[Any]", value)]
    return value


def _number(number: Number, words: Heading, places: dict[str, int]) -> dict[str, Any]:
    example = number.example
    scores = [
        [places[key], _short(found.value), _short(found.low), _short(found.high)]
        for key, found in sorted(number.estimates.items(), key=lambda item: places[item[0]])
    ]
    return {
        "key": number.key,
        "id": number.id,
        "title": words.full,
        "headline": number.headline,
        "chosen": number.measure is not None and number.measure.part.protocol == "mcq",
        "chance": _short(example.chance if example else None),
        "blind": _short(example.blind if example else None),
        "trained": _short(example.blind_trained if example else None),
        "scores": scores,
        **_tests(number, places),
    }


def _tests(number: Number, places: dict[str, int]) -> dict[str, Any]:
    """Errors and p-values above the diagonal, row by row, in units of 1e-5; the degrees of freedom's critical t."""
    from scipy.special import stdtrit  # noqa: PLC0415 - only where pairs are tested

    table = pairs(number)
    if table is None:
        return {"tested": []}
    above = np.triu_indices(len(table.keys), 1)
    return {
        "tested": [places[key] for key in table.keys],
        "critical": round(float(stdtrit(table.clusters - 1, (1 + LEVEL) / 2)), 6),
        "clusters": table.clusters,
        "errors": np.rint(table.errors[above] * 1e5).astype(int).tolist(),
        "p": np.rint(table.p[above] * 1e5).astype(int).tolist(),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
