"""The figures of supplement A: bars in SVG files, which are text and need no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from egobench.errors import TrainingDataError
from reference_exo2ego.data.clip_statistics import SECONDS_BIN

BAR, LABEL, SPAN, ROOM = 18, 220, 420, 90
INK, FILL = "#222222", "#7a9cc6"


class Bar(NamedTuple):
    """A label and its number."""

    label: str
    value: float


def plot_statistics(statistics: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw durations, words, and hours by scenario, institution, country and task.

    Args:
        statistics: From :meth:`reference_exo2ego.data.clip_statistics.ClipStatistics.to_json`.
        folder: Where the files go; made when missing.

    Returns:
        The files.

    Raises:
        TrainingDataError: If they cannot be written.
    """
    histograms = statistics["histograms"]
    seconds = [Bar(f"{n * SECONDS_BIN:.1f} s", count) for n, count in enumerate(histograms["seconds"])]
    words = [Bar(str(n), count) for n, count in enumerate(histograms["words"], 1)]
    figures = {"durations": ("Clips by duration, from ...", seconds), "words": ("Texts by number of words", words)}
    for kind, values in statistics["breakdown"].items():
        bars = [Bar(value, part["hours"]) for value, part in values.items()]
        figures[f"hours_by_{kind}"] = (f"Hours of takes by {kind}", bars)
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (title, bars) in figures.items():
            paths.append(folder / f"{name}.svg")
            paths[-1].write_text(bar_chart(title, bars), encoding="utf-8")
    except OSError as error:
        raise TrainingDataError(f"{folder}: no figure can be written there ({error.strerror})") from error
    return paths


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Bars from left to right, the longest as long as there is room, as an SVG document."""
    width, height = LABEL + SPAN + ROOM, 40 + BAR * len(bars) + 10
    most = max((bar.value for bar in bars), default=0) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value) in enumerate(bars):
        top, length = 36 + number * BAR, SPAN * value / most
        shown = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        lines += [
            f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(label[:34])}</text>',
            f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR - 4}" fill="{FILL}"/>',
            f'<text x="{LABEL + length + 5:.1f}" y="{top + 12}">{shown}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
