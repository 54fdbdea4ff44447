"""The data of the page of comparisons: runs, numbers, and the paired test of every two runs, in few bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from markupsafe import Markup

from egobench.printable import printable
from egobench.statistics.clustered import LEVEL

from ..board import Board, Number, pairs
from .naming import Heading, run_page, run_title, section_title


def comparison_script(board: Board, heading: Callable[[Number], Heading]) -> str:
    """Write the data of a board as a script that sets the variable ``EGOBENCH``: it loads from the disk too."""
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
    """Write a value as JSON that can stand in a script element, whatever texts are in it."""
    text = json.dumps(visible(value), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def visible(value: Any) -> Any:
    """Make the control codes of texts visible, in lists and objects too; markup stays as it is."""
    if isinstance(value, str):
        return value if isinstance(value, Markup) else printable(value)
    if isinstance(value, dict):
        return {key: visible(member) for key, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [visible(member) for member in cast("list[Any]", value)]
    return value


def _number(number: Number, words: Heading, places: dict[str, int]) -> dict[str, Any]:
    example = number.example
    scores = [
        [places[key], _rounded(score.value), _rounded(score.low), _rounded(score.high)]
        for key, score in sorted(number.estimates.items(), key=lambda item: places[item[0]])
    ]
    return {
        "key": number.key,
        "id": number.id,
        "title": words.full,
        "headline": number.headline,
        "chosen": number.measure is not None and number.measure.part.protocol == "mcq",
        "chance": _rounded(example.chance if example else None),
        "blind": _rounded(example.blind if example else None),
        "trained": _rounded(example.blind_trained if example else None),
        "scores": scores,
        **_tests(number, places),
    }


def _tests(number: Number, places: dict[str, int]) -> dict[str, Any]:
    """Return errors and p-values of all pairs, row by row above the diagonal, in units of 1e-5, and the critical t."""
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


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
