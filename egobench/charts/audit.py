"""The audit of sample sets as a picture: the share that each attack gets right, and how alike options are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from egobench.charts.picture import Size, write_picture
from egobench.charts.shapes import BLIND, CHANCE, PALE, QUIET, RULE, TRAINED, Bar, Line, Shape, Text

LEFT, WIDTH = 20, 900
BAR = 20
NUMBER = 38
"""Pixels that a share takes beside its bar."""
ATTACKS_X, HISTOGRAM_X = 190, 606
PANEL_WIDTH, PANEL_HEIGHT = 280, 150


def write_audit_chart(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a picture with two panels per subset.

    Args:
        rows: Audits as JSON objects, see :class:`egobench.dataset.audit.Audit`, with ``sample_set``, ``blind`` and
            ``blind_trained``.
        path: The file; its ending says the form.

    Raises:
        ValueError: If the name ends in neither ``.svg`` nor ``.png``.
        ChartError: If it cannot be written.
    """
    shapes: list[Shape] = []
    top = 0
    for row in rows:
        shapes += _panels(row, top)
        top += _height(row)
    write_picture(path, shapes, Size(WIDTH, top))


def _height(row: Mapping[str, Any]) -> int:
    bars = len(row["attacks"]) + len(row["trained_attacks"])
    return 46 + max(BAR * bars, PANEL_HEIGHT + 20) + 40


def _panels(row: Mapping[str, Any], top: int) -> Iterator[Shape]:
    subset = "" if row["subset"] == "all" else f" {row['subset']}"
    title = f"{row['sample_set']}{subset}: {row['n']} samples, co-correct {_percent(row['co_correct'])} %"
    yield Text(LEFT, top + 24, title, weight="bold")
    yield from _attacks(row, top + 46)
    yield from _histogram(row["histogram"], top + 46)


def _attacks(row: Mapping[str, Any], top: int) -> Iterator[Shape]:
    """A bar per attack: those on the options alone, then those that have learned; the best of each in its colour."""
    kinds = (
        (row["attacks"], row["blind"], BLIND, "blind"),
        (row["trained_attacks"], row["blind_trained"], TRAINED, "blind, trained"),
    )
    bars = [(name, share, (colour, f" {meaning}") if share == best else (PALE, ""))
            for attacks, best, colour, meaning in kinds for name, share in attacks.items()]  # fmt: skip
    chance = ATTACKS_X + row["chance"] * PANEL_WIDTH
    for number, (name, share, (colour, meaning)) in enumerate(bars):
        y = top + number * BAR
        end = ATTACKS_X + share * PANEL_WIDTH
        yield Text(ATTACKS_X - 8, y + 13, name, "end")
        yield Bar(ATTACKS_X, y, end - ATTACKS_X, BAR - 5, colour)
        beside = chance if end <= chance < end + NUMBER else end
        yield Text(beside + 5, y + 13, f"{_percent(share)}{meaning}")
    bottom = top + len(bars) * BAR
    yield Line(((chance, top - 6), (chance, bottom)), CHANCE, dashed=True)
    yield Text(chance, bottom + 14, f"chance {_percent(row['chance'])}", "middle", colour=QUIET)


def _histogram(counts: Sequence[int], top: int) -> Iterator[Shape]:
    """Cosines from 0 to 1; the rare ones below are counted into the first bar."""
    half = len(counts) // 2
    positive = [sum(counts[: half + 1]), *counts[half + 1 :]]
    width = PANEL_WIDTH / len(positive)
    for number, count in enumerate(positive):
        height = PANEL_HEIGHT * count / max(positive)
        yield Bar(HISTOGRAM_X + number * width, top + PANEL_HEIGHT - height, width - 1, height, PALE)
    bottom = top + PANEL_HEIGHT
    yield Line(((HISTOGRAM_X, bottom), (HISTOGRAM_X + PANEL_WIDTH, bottom)), RULE)
    for tick in (0.0, 0.5, 1.0):
        yield Text(HISTOGRAM_X + tick * PANEL_WIDTH, bottom + 14, f"{tick:g}", "middle", colour=QUIET)
    yield Text(HISTOGRAM_X + PANEL_WIDTH / 2, bottom + 28, "cosine of answer and distractor", "middle", colour=QUIET)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
