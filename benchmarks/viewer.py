"""How soon the viewer of many samples can be used, and how long its filters take, in Chromium from the disk.

Usage: ``python benchmarks/viewer.py FOLDER [SAMPLES]``, after ``python benchmarks/leaderboard.py FOLDER 2 2``. Shows
two of its runs side by side, over as many samples as it takes to reach SAMPLES (40,000). Prints milliseconds from the
start of the navigation until the page answers, those of each filter, medians of three, and the size of the index.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from statistics import median

from playwright.sync_api import Page, sync_playwright

from egobench.leaderboard.measures import SampleSets
from egobench.leaderboard.runs import BoardRun, open_runs
from egobench.leaderboard.viewer.build import write_viewer
from egobench.observer import SilentObserver
from egobench.scoring.entry import ScoreEntry

FILTERS = {
    "part": "1",
    "outcome": "W",
    "agreement": "disagree",
    "search": "happens in 77",
}
"""A value that each filter is set to."""


def main(folder: Path, most: int) -> None:
    """Make the viewer and measure it."""
    out = folder / "viewer"
    with open_runs([folder / "runs"], SilentObserver()) as runs:
        fewer = [fewer_parts(run, most) for run in runs[:2]]
        page_file = write_viewer(fewer, out, SampleSets())
    path = which("chromium") or which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        rows = [measure(page, page_file) for _ in range(3)]
        count = page.locator("#status").inner_text()
        browser.close()
    sys.stdout.write(f"{count}; index {(out / 'data' / 'index.js').stat().st_size / 1e6:.1f} MB\n")
    for name in rows[0]:
        sys.stdout.write(f"{name:>12}: {median(row[name] for row in rows):.0f} ms\n")


def fewer_parts(run: BoardRun, most: int) -> BoardRun:
    """The run with the largest of its parts, until there are enough samples."""
    return replace(run, scores=dict(_largest(run, most)))


def _largest(run: BoardRun, most: int) -> Iterator[tuple[str, ScoreEntry]]:
    count = 0
    for name, entry in sorted(run.scores.items(), key=lambda item: -item[1].n):
        if count >= most:
            return
        count += entry.n
        yield name, entry


def measure(page: Page, path: Path) -> dict[str, float]:
    """Milliseconds of opening the page and of each filter."""
    page.goto("about:blank")
    page.goto(path.as_uri())
    page.locator("#sample h2").wait_for()
    figures = {"interactive": float(page.evaluate("EGOBENCH.readyMilliseconds"))}
    for name, value in FILTERS.items():
        field = page.locator(f"#{name}")
        field.fill(value) if name == "search" else field.select_option(value)
        figures[name] = float(page.evaluate("EGOBENCH.filterMilliseconds"))
        field.fill("") if name == "search" else field.select_option("")
    return figures


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40_000)
