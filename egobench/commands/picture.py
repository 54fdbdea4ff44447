"""The audit as a picture: what each attack finds, how alike options are. SVG is text, so it needs no library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from egobench.commands.tables import percent
from egobench.errors import SampleSetError

ROW, LEFT, WIDTH = 230, 20, 860
BAR = 20
ATTACKS_AT, HISTOGRAM_AT = 110, 500
SPAN, HIGH = 300, 140
INK, ATTACK, BEST, PAIRS = "#222222", "#7a9cc6", "#c0504d", "#9bbb59"


def write_picture(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write an SVG file with one row of two panels a subset.

    Args:
        rows: What :func:`egobench.commands.auditing.audit_sets` found.
        path: The file.

    Raises:
        SampleSetError: If it cannot be written.
    """
    high = ROW * len(rows)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" font-family="sans-serif" font-size="12">'
    )
    body = [line for number, row in enumerate(rows) for line in _panels(row, number * ROW)]
    page = [head, f'<rect width="{WIDTH}" height="{high}" fill="#ffffff"/>', *body, "</svg>"]
    try:
        path.write_text("\n".join(page) + "\n", encoding="utf-8")
    except OSError as error:
        raise SampleSetError(f"cannot write the picture to {path}: {error.strerror}") from error


def _panels(row: Mapping[str, Any], top: int) -> Iterator[str]:
    subset = "" if row["subset"] == "all" else f" {row['subset']}"
    title = f"{row['sample_set']}{subset}: {row['n']} samples, co-correct {percent(row['co_correct'])} %"
    yield _text(LEFT, top + 24, title, weight="bold")
    yield from _attacks(row, top + 46)
    yield from _histogram(row["histogram"], top + 46)


def _attacks(row: Mapping[str, Any], top: int) -> Iterator[str]:
    for number, (name, share) in enumerate(row["attacks"].items()):
        at = top + number * BAR
        colour = BEST if share == row["blind_ceiling"] else ATTACK
        yield _text(ATTACKS_AT - 8, at + 13, name, anchor="end")
        yield f'<rect x="{ATTACKS_AT}" y="{at}" width="{share * SPAN:.1f}" height="{BAR - 5}" fill="{colour}"/>'
        yield _text(ATTACKS_AT + share * SPAN + 5, at + 13, percent(share))
    bottom = top + len(row["attacks"]) * BAR
    chance = ATTACKS_AT + row["chance"] * SPAN
    yield f'<path d="M{chance:.1f} {top - 6}V{bottom}" stroke="{INK}" stroke-dasharray="4 3"/>'
    yield _text(chance, bottom + 14, f"chance {percent(row['chance'])}", anchor="middle")


def _histogram(counts: Sequence[int], top: int) -> Iterator[str]:
    """Cosines from 0 to 1; the rare ones below are counted into the first bar."""
    half = len(counts) // 2
    shown = [sum(counts[: half + 1]), *counts[half + 1 :]]
    width = SPAN / len(shown)
    for number, count in enumerate(shown):
        high = HIGH * count / max(shown)
        x, y = HISTOGRAM_AT + number * width, top + HIGH - high
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{high:.1f}" fill="{PAIRS}"/>'
    yield f'<path d="M{HISTOGRAM_AT} {top + HIGH}h{SPAN}" stroke="{INK}"/>'
    for tick in (0.0, 0.5, 1.0):
        yield _text(HISTOGRAM_AT + tick * SPAN, top + HIGH + 14, f"{tick:g}", anchor="middle")
    yield _text(HISTOGRAM_AT + SPAN / 2, top + HIGH + 28, "cosine of answer and distractor", anchor="middle")


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="{INK}">{escape(text)}</text>'
