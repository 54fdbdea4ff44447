"""Writing the site of a board: pages, style, scripts and data; equal boards give equal bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from egobench.errors import SiteError

from ..board import Board
from .comparison_data import comparison_script, visible
from .ledger_page import ledger_page
from .pages import Pages
from .points import percent

MARKER = ".egobench-site"
"""A file that says that a folder may be replaced: it holds a site that was built here."""

ASSETS = ("app.js", "charts.js", "compare.js", "style.css", "theme.js")
FOLDERS = ("assets", "data", "model", "samples", "task")
COLUMNS: tuple[str, ...] = (
    "model", "name", "run", "level", "method", "control", "id", "samples", "n", "n_expected", "value", "low", "high",
    "rank_best", "rank_worst", "chance", "blind", "blind_trained", "unanswered",
)  # fmt: skip


def write_site(
    board: Board, out: Path, *, title: str = "EgoBench leaderboard", samples: Mapping[str, str] | None = None
) -> Path:
    """Write the site of a board.

    Args:
        board: The board.
        out: The folder; a site that was built there before is replaced.
        title: What the site is called.
        samples: Addresses of the viewer's pages below ``out``, by run key.

    Returns:
        The page to open.

    Raises:
        SiteError: If the folder holds something else, or cannot be written.
    """
    pages = Pages(board, title, samples or {}, ledger=True)
    environment = page_environment("egobench.leaderboard.site")
    contents: dict[str, str] = {}
    for path, template, values in pages.all():
        contents[path] = environment.get_template(template).render(values)
    contents["ledger.html"] = environment.get_template("ledger.html").render(
        {**pages.shared("", "ledger", "Published numbers"), **ledger_page(board)}
    )
    contents["data/compare.js"] = comparison_script(board, pages.heading)
    rows = [*_rows(board)]
    contents["data/board.json"] = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    contents["data/board.csv"] = _csv(rows)
    for name in ASSETS:
        contents[f"assets/{name}"] = asset("egobench.leaderboard.site", name)
    write_pages(out, contents, FOLDERS)
    return out / "index.html"


def page_environment(package: str) -> Environment:
    """Open the templates of a package.

    Whatever they print is escaped, and control codes in it are made visible.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters |= {"percent": percent, "signed": _signed, "p_value": _p_value}
    return environment


def asset(package: str, name: str) -> str:
    """Read a style sheet or a script of a package."""
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def write_pages(out: Path, contents: Mapping[str, str], folders: tuple[str, ...]) -> None:
    """Write files below a folder, in place of those of an earlier build.

    Args:
        out: The folder.
        contents: Content by path.
        folders: Folders of an earlier build that are emptied.

    Raises:
        SiteError: If the folder holds something else, or cannot be written.
    """
    try:
        if out.exists() and not (out / MARKER).is_file() and any(out.iterdir()):
            raise SiteError(f"{out} holds something else than a site; choose an empty or a new folder")
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).write_text("This folder is replaced when its site is built again.\n", encoding="utf-8")
        for folder in folders:
            rmtree(out / folder, ignore_errors=True)
        for name, content in sorted(contents.items()):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise SiteError(f"cannot write the site to {out}: {error.strerror}") from error


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _rows(board: Board) -> Iterator[dict[str, Any]]:
    """Yield a row per run and number for ``data/board.json`` and ``.csv``; scores in [0, 1]."""
    for section in board.sections:
        for number in section.numbers:
            for run in section.runs:
                score = number.estimates.get(run.key)
                if score is None:
                    continue
                entry = number.entry_of(run)
                rank, example = section.ranks.get((number.key, run.key)), number.example
                row = (
                    run.model, run.name, run.key, run.level, run.method, run.spec.control, number.id,
                    number.samples_sha256, entry and entry.n, entry and entry.n_expected, score.value, score.low,
                    score.high, rank and rank.best, rank and rank.worst, example and example.chance,
                    example and example.blind, example and example.blind_trained, entry and entry.unanswered,
                )  # fmt: skip
                yield dict(zip(COLUMNS, (visible(cell) for cell in row), strict=True))


def _csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
