"""The figures of supplement A: durations, words, and hours by scenario, institution, country and task, as SVG files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from egobench.charts.picture import Size, write_picture
from egobench.charts.shapes import PALE, Bar, Shape, Text
from egobench.errors import TrainingDataError
from reference_exo2ego.data.clip_statistics import SECONDS_BIN

ROW: Final = 18
LABELS, SPAN, NUMBERS = 240, 420, 90


class LabelledValue(NamedTuple):
    """A label and its number."""

    label: str
    value: float


def plot_statistics(statistics: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw the figures.

    Args:
        statistics: From :meth:`reference_exo2ego.data.clip_statistics.ClipStatistics.to_json`.
        folder: Where the files go; made when missing.

    Returns:
        The files.

    Raises:
        TrainingDataError: If the folder cannot be made.
        ChartError: If a file cannot be written.
    """
    histograms = statistics["histograms"]
    seconds = [LabelledValue(f"{n * SECONDS_BIN:.1f} s", count) for n, count in enumerate(histograms["seconds"])]
    words = [LabelledValue(str(n), count) for n, count in enumerate(histograms["words"], 1)]
    figures = {
        "durations": ("Clips by duration, bars from the time on", seconds),
        "words": ("Texts by number of words", words),
    }
    for kind, values in statistics["breakdown"].items():
        hours = [LabelledValue(value, part["hours"]) for value, part in values.items()]
        figures[f"hours_by_{kind}"] = (f"Hours of takes by {kind}", hours)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingDataError(f"{folder}: cannot be made ({error.strerror}); name another folder") from error
    paths: list[Path] = []
    for name, (title, values) in figures.items():
        paths.append(folder / f"{name}.svg")
        height = 2 * ROW + ROW * len(values) + 10
        write_picture(paths[-1], _bars(title, values), Size(LABELS + SPAN + NUMBERS, height))
    return paths


def _bars(title: str, values: Sequence[LabelledValue]) -> Iterator[Shape]:
    """One row per value, the bar of the largest as long as there is room."""
    most = max((row.value for row in values), default=0) or 1
    yield Text(12, 22, title, weight="bold")
    for number, (label, value) in enumerate(values):
        y, length = 2 * ROW + number * ROW, SPAN * value / most
        yield Text(LABELS - 8, y + 12, label[:36], "end")
        yield Bar(LABELS, y, length, ROW - 4, PALE)
        yield Text(LABELS + length + 5, y + 12, f"{value:,}" if isinstance(value, int) else f"{value:,.1f}")
