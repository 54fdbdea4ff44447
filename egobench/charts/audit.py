"""The audit of sample sets as a picture: the share that each attack gets right, and how alike options are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from egobench.charts.svg import bar, line, text, write_svg

ROW, LEFT, WIDTH = 230, 20, 860
BAR = 20
ATTACKS_X, HISTOGRAM_X = 110, 500
PANEL_WIDTH, PANEL_HEIGHT = 300, 140
ATTACK, BEST, PAIRS = "#7a9cc6", "#c0504d", "#9bbb59"


def write_audit_chart(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write an SVG file with two panels per subset.

    Args:
        rows: Audits as JSON objects, see :class:`egobench.dataset.audit.Audit`, with ``sample_set`` and
            ``blind_ceiling``.
        path: The file.

    Raises:
        ChartError: If it cannot be written.
    """
    shapes = [shape for number, row in enumerate(rows) for shape in _panels(row, number * ROW)]
    write_svg(path, shapes, width=WIDTH, height=ROW * len(rows))


def _panels(row: Mapping[str, Any], top: int) -> Iterator[str]:
    subset = "" if row["subset"] == "all" else f" {row['subset']}"
    title = f"{row['sample_set']}{subset}: {row['n']} samples, co-correct {_percent(row['co_correct'])} %"
    yield text(LEFT, top + 24, title, weight="bold")
    yield from _attacks(row, top + 46)
    yield from _histogram(row["histogram"], top + 46)


def _attacks(row: Mapping[str, Any], top: int) -> Iterator[str]:
    for number, (name, share) in enumerate(row["attacks"].items()):
        y = top + number * BAR
        colour = BEST if share == row["blind_ceiling"] else ATTACK
        yield text(ATTACKS_X - 8, y + 13, name, anchor="end")
        yield bar(ATTACKS_X, y, share * PANEL_WIDTH, BAR - 5, colour)
        yield text(ATTACKS_X + share * PANEL_WIDTH + 5, y + 13, _percent(share))
    bottom = top + len(row["attacks"]) * BAR
    chance = ATTACKS_X + row["chance"] * PANEL_WIDTH
    yield line(f"M{chance:.1f} {top - 6}V{bottom}", dashed=True)
    yield text(chance, bottom + 14, f"chance {_percent(row['chance'])}", anchor="middle")


def _histogram(counts: Sequence[int], top: int) -> Iterator[str]:
    """Cosines from 0 to 1; the rare ones below are counted into the first bar."""
    half = len(counts) // 2
    positive = [sum(counts[: half + 1]), *counts[half + 1 :]]
    width = PANEL_WIDTH / len(positive)
    for number, count in enumerate(positive):
        height = PANEL_HEIGHT * count / max(positive)
        yield bar(HISTOGRAM_X + number * width, top + PANEL_HEIGHT - height, width - 1, height, PAIRS)
    bottom = top + PANEL_HEIGHT
    yield line(f"M{HISTOGRAM_X} {bottom}h{PANEL_WIDTH}")
    for tick in (0.0, 0.5, 1.0):
        yield text(HISTOGRAM_X + tick * PANEL_WIDTH, bottom + 14, f"{tick:g}", anchor="middle")
    yield text(HISTOGRAM_X + PANEL_WIDTH / 2, bottom + 28, "cosine of answer and distractor", anchor="middle")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
