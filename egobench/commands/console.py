"""The way to the terminal: tables, JSON, CSV and Markdown, and no text from outside that acts on the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from egobench.printable import printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.text import Text

Format = Literal["table", "json", "csv", "markdown"]

WIDTH = 140
"""Columns of a table that goes to a file or a pipe."""


class PlainConsole(Console):
    """A console that takes every text as it is: no markup, no highlighting, no control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        """A text, with what acts on the terminal made visible."""
        plain: dict[str, Any] = {**options, "markup": False, "emoji": False, "highlight": False}
        return super().render_str(printable(text), **plain)


@dataclass(frozen=True, slots=True)
class SlashedText:
    """A text, such as a protocol id, that a table breaks after slashes alone.

    Attributes:
        text: The text.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max(map(len, self._pieces()))
        return Measurement(min(widest, options.max_width), min(len(self.text), options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        lines = [""]
        for piece in self._pieces():
            if lines[-1] and len(lines[-1]) + len(piece) > options.max_width:
                lines.append("")
            lines[-1] += piece
        yield console.render_str("\n".join(lines))

    def _pieces(self) -> list[str]:
        return re.findall(r"[^/]*/|[^/]+", self.text) or [""]


def console(*, errors: bool = False) -> Console:
    """A console on standard output or standard error; one that is no terminal gets a width that fits our tables."""
    terminal = PlainConsole(stderr=errors, highlight=False, markup=False, emoji=False)
    if terminal.is_terminal:
        return terminal
    return PlainConsole(stderr=errors, highlight=False, markup=False, emoji=False, width=WIDTH)


def note(message: str) -> None:
    """Print a line about the progress of the work, on standard error."""
    console(errors=True).print(message, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON; what is not ASCII is escaped where it would act on the terminal."""
    typer.echo(printable(json.dumps(value, indent=1, ensure_ascii=False)))


def print_rows(rows: Sequence[Mapping[str, Any]], tables: Sequence[RenderableType], form: Format) -> None:
    """Print rows in the form that the person wants.

    Args:
        rows: JSON objects.
        tables: What they look like for a person.
        form: ``"json"`` and ``"csv"`` print the rows, the others the tables.
    """
    if form == "json":
        print_json(rows)
    elif form == "csv":
        typer.echo(_csv(rows), nl=False)
    elif form == "markdown":
        typer.echo("\n\n".join(_markdown(table) for table in tables if isinstance(table, Table)))
    else:
        console().print(*tables)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return printable(stream.getvalue())


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A row whose nested objects are columns of their own, e.g. ``outcomes.answered``."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            parts: Any = value
            flat[prefix + key] = "; ".join(map(str, parts)) if isinstance(value, list | tuple) else value
    return flat


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(printable(cell).replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"

    header = [str(column.header) for column in table.columns]
    rule = ["---:" if column.justify == "right" else "---" for column in table.columns]
    body = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
    lines = [line(header), "| " + " | ".join(rule) + " |", *map(line, body)]
    parts = [str(table.title)] if table.title else []
    return "\n\n".join([*parts, "\n".join(lines), *([str(table.caption)] if table.caption else [])])
