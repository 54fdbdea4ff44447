"""Writing the site of a board: pages, style, scripts and data; equal boards give equal bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal, TextIO, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from egobench.errors import SiteError

from ..board import Board
from .comparison_data import comparison_script, visible
from .ledger_page import ledger_page
from .pages import Pages
from .points import percent

Kind = Literal["board", "viewer"]
"""What a site is."""

MARKER = ".egobench-site"
"""A file that says that a folder may be replaced: it holds a site that was built here, and of which kind."""

PARTIAL = ".partial"
"""Folder in it of a site that is being written; left by a killed process, and overwritten."""

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
    with new_site(out, "board", FOLDERS) as folder:
        write_pages(folder, contents)
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


@contextmanager
def new_site(out: Path, kind: Kind, folders: Collection[str]) -> Generator[Path]:
    """Give an empty folder to write a site into, which takes the place of an earlier one once it is whole.

    Whatever ends the work before that leaves the earlier site as it was.

    Args:
        out: The folder of the site.
        kind: What the site is: one of another kind is not replaced.
        folders: Folders of an earlier site that go with it; files beside them that nobody writes anew stay.

    Raises:
        SiteError: If ``out`` holds something else, another process writes a site there, or it cannot be written.
    """
    with ExitStack() as stack:
        partial = out / PARTIAL
        with _writing(out):
            if out.exists() and not (out / MARKER).is_file() and any(out.iterdir()):
                raise SiteError(f"{out} holds something else than a {kind}; choose an empty or a new folder")
            out.mkdir(parents=True, exist_ok=True)
            marker = stack.enter_context((out / MARKER).open("a+", encoding="utf-8"))
            _lock(marker, out)
            _mark(marker, out, kind)
            rmtree(partial, ignore_errors=True)
            partial.mkdir()
        stack.callback(rmtree, partial, ignore_errors=True)
        yield partial
        with _writing(out):
            _replace(out, partial, folders)


def write_pages(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files below a folder.

    Args:
        folder: The folder, from :func:`new_site`.
        contents: Content by path.

    Raises:
        SiteError: If one cannot be written.
    """
    with _writing(folder):
        for name, content in sorted(contents.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def _lock(marker: TextIO, out: Path) -> None:
    """Have a folder alone for as long as its marker is open."""
    try:
        flock(marker, LOCK_EX | LOCK_NB)
    except BlockingIOError as error:
        raise SiteError(f"{out}: another process writes a site there; wait for it, or choose another folder") from error
    except OSError:
        pass  # A disk without locks: nobody can be kept out.


def _mark(marker: TextIO, out: Path, kind: Kind) -> None:
    """Write down what kind of site a folder holds, or compare it with what is there."""
    marker.seek(0)
    text = marker.read()
    for other in get_args(Kind):
        if other != kind and f" {other} " in text:
            raise SiteError(f"{out} holds a {other}, and this would be a {kind}; choose an empty or a new folder")
    if not text:
        marker.write(f"This folder is replaced when its {kind} is written again.\n")
        marker.flush()


def _replace(out: Path, partial: Path, folders: Collection[str]) -> None:
    """Put a whole site in the place of an earlier one: pages last, after what they load."""
    new = sorted(partial.iterdir(), key=lambda path: (path.is_file(), path.name))
    for name in {*folders, *(path.name for path in new if path.is_dir())}:
        if (out / name).is_symlink():
            (out / name).unlink()
        rmtree(out / name, ignore_errors=True)
    for path in new:
        if path.name != MARKER:
            path.replace(out / path.name)


@contextmanager
def _writing(out: Path) -> Generator[None]:
    try:
        yield
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
