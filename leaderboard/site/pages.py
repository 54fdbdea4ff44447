"""The pages of the site, as values for their templates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from egobench import __version__
from egobench.compare import relation
from egobench.errors import UnknownPluginError
from egobench.plugins import load_task
from egobench.task import Task

from ..board import Board, Number, Section, pairs
from ..runs import BoardRun
from ..sizes import sizes_table
from .cells import cell_of, difference_of, floors_of, point_of, scatters
from .naming import LEVEL_WORDS, Heading, heading, run_page, run_title, section_title
from .plots import RadarAxis, radar
from .points import Point
from .row_charts import OverviewRow, overview, whiskers

MOST_DOTS = 200
"""Most runs of a section with an overview: of more, dots hide one another."""


@dataclass(frozen=True)
class Pages:
    """A board as pages.

    Attributes:
        board: The board.
        title: What the site is called.
        samples: Addresses of the viewer's pages by run key; empty without a viewer.
        ledger: Whether there is a page of published numbers.
    """

    board: Board
    title: str
    samples: Mapping[str, str]
    ledger: bool

    def all(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield path, template and values of every page but the ledger."""
        yield "index.html", "index.html", self._index()
        for task in sorted({number.measure.part.task for number in self.board.numbers if number.measure}):
            yield f"task/{task}.html", "task.html", self._task(task)
        by_model: defaultdict[str, list[BoardRun]] = defaultdict(list)
        for run in self.board.runs:
            by_model[run.model_key].append(run)
        for key, runs in sorted(by_model.items()):
            yield f"model/{key}.html", "model.html", self._model(runs)
        yield "compare.html", "compare.html", self.shared("", "compare", "Compare runs")
        yield "method.html", "method.html", self._method()

    def shared(self, root: str, page: str, title: str) -> dict[str, Any]:
        """Return what the frame of every page shows.

        Args:
            root: The way back to the site's first page, ``""`` or ``"../"``.
            page: Which entry of the navigation it is.
            title: The page's own title.
        """
        return {
            "root": root,
            "page": page,
            "title": title,
            "site_title": self.title,
            "has_ledger": self.ledger,
            "runs_count": len(self.board.runs),
            "version": __version__,
        }

    def heading(self, number: Number) -> Heading:
        """Return the heading of a number's column."""
        count = Counter(other.id for other in self.board.numbers)[number.id]
        return heading(number, ambiguous=count > 1)

    def _index(self) -> dict[str, Any]:
        sections = [self._section(section) for section in self.board.sections]
        tasks = sorted({number.measure.part.task for number in self.board.numbers if number.measure})
        return {
            **self.shared("", "board", self.title),
            "sections": sections,
            "level_words": LEVEL_WORDS,
            "tasks": tasks,
            "believed": any(run.level != "self-reported" for run in self.board.runs),
        }

    def _section(self, section: Section) -> dict[str, Any]:
        columns = shown_numbers(section)
        headings = [self.heading(number) for number in columns]
        groups = [
            {"name": name, "count": len([*members])} for name, members in groupby(words.group for words in headings)
        ]
        rows = [
            OverviewRow(
                words.full,
                [point_of(number, run, section) for run in section.runs if run.key in number.estimates],
                floors_of(number),
            )
            for number, words in zip(columns, headings, strict=True)
            if number.headline or number.measure is None
        ]
        title = section_title(section.method, section.control)
        return {
            "key": section.key,
            "title": title,
            "method": section.method,
            "control": section.control,
            "columns": [
                {"key": number.key, "heading": words, "floors": floors_of(number), "id": number.id}
                for number, words in zip(columns, headings, strict=True)
            ],
            "groups": groups,
            "rows": [self._row(run, section, columns) for run in section.runs],
            "chart": overview(rows, title) if len(section.runs) <= MOST_DOTS and rows else "",
        }

    def _row(self, run: BoardRun, section: Section, columns: Sequence[Number]) -> dict[str, Any]:
        headline = [entry for entry in run.scores.values() if entry.headline]
        frames = Counter(run.frames.values())
        average = next((number for number in columns if number.measure is None), None)
        return {
            "run": run,
            "title": run_title(run),
            "page": run_page(run),
            "cells": [cell_of(number, run, section) for number in columns],
            "rank": section.ranks.get((average.key, run.key)) if average else None,
            "unanswered": sum(entry.unanswered for entry in headline),
            "asked": sum(entry.n for entry in headline),
            "partial": any(entry.partial for entry in headline),
            "frames": " / ".join(sorted(frames)),
        }

    def _task(self, name: str) -> dict[str, Any]:
        numbers = [number for number in self.board.numbers if number.measure and number.measure.part.task == name]
        return {
            **self.shared("../", "task", name),
            "task": _task_facts(name),
            "numbers": [self._task_number(number) for number in numbers],
            "sizes": sizes_table(own_set for own_set in self.board.sets.all() if own_set.manifest.task == name),
        }

    def _task_number(self, number: Number) -> dict[str, Any]:
        words = self.heading(number)
        longest = max(len(run_title(run)) for run in self.board.runs)
        parts: list[dict[str, Any]] = []
        plain_points: list[tuple[BoardRun, Point]] = []
        for section in self.board.sections_of(number):
            members = [run for run in section.runs if run.key in number.estimates]
            members.sort(key=lambda run: (-number.estimates[run.key].value, run_title(run), run.key))
            points = [point_of(number, run, section, root="../") for run in members]
            if section.control is None:
                plain_points += zip(members, points, strict=True)
            title = section_title(section.method, section.control)
            parts.append(
                {
                    "title": title,
                    "chart": whiskers(f"{words.full}, {title}", points, floors_of(number), longest=longest),
                    "rows": [
                        {
                            "title": run_title(run),
                            "page": run_page(run, "../"),
                            "run": run,
                            **cell_of(number, run, section),
                        }
                        for run in members
                    ],
                }
            )
        return {
            "key": number.key,
            "heading": words,
            "id": number.id,
            "floors": floors_of(number),
            "example": number.example,
            "problem": number.measure.problem if number.measure else "",
            "parts": parts,
            "scatters": [*scatters(words.full, number, plain_points)] if number.headline else [],
        }

    def _model(self, runs: Sequence[BoardRun]) -> dict[str, Any]:
        return {
            **self.shared("../", "model", runs[0].model),
            "model": runs[0].spec.model,
            "runs": [self._model_run(run, runs) for run in runs],
        }

    def _model_run(self, run: BoardRun, family: Sequence[BoardRun]) -> dict[str, Any]:
        section = next(section for section in self.board.sections if run in section.runs)
        numbers = [number for number in section.numbers if run.key in number.estimates]
        headings = {number.key: self.heading(number) for number in numbers}
        axes = [
            RadarAxis(
                f"{headings[number.key].group} {headings[number.key].name}",
                number.estimates[run.key].value,
                floors_of(number),
            )
            for number in numbers
            if number.headline and number.measure and number.measure.part.protocol == "mcq"
        ]
        return {
            "run": run,
            "title": run_title(run),
            "settings": _settings(run),
            "section": section_title(section.method, section.control),
            "rows": [
                {"heading": headings[number.key], "id": number.id, "floors": floors_of(number),
                 **cell_of(number, run, section)}
                for number in numbers
            ],
            "radar": radar(run_title(run), axes) if len(axes) > 2 else "",
            "gains": [*self._gains(run, family)],
            "tags": [
                {"id": str(entry.id), "by": entry.by} for entry in run.scores.values() if entry.headline and entry.by
            ],
            "samples": self.samples.get(run.key, ""),
        }  # fmt: skip

    def _gains(self, control: BoardRun, family: Sequence[BoardRun]) -> Iterator[dict[str, Any]]:
        """Yield the gains of the plain runs over a control of theirs, number by number."""
        if control.spec.control is None:
            return
        for run in family:
            gain, _ = relation(run.spec, control.spec)
            if run.spec.control is not None or gain == "difference":
                continue
            rows: list[dict[str, Any]] = []
            for number in self.board.numbers:
                both = {run.key, control.key} <= set(number.keys)
                table = pairs(number) if both and (number.headline or number.measure is None) else None
                if table is not None:
                    rows.append({"heading": self.heading(number), **difference_of(table, run.key, control.key)})
            yield {"name": gain, "plain": run_title(run), "rows": rows}

    def _method(self) -> dict[str, Any]:
        return {
            **self.shared("", "method", "How the numbers are made"),
            "level_words": LEVEL_WORDS,
            "sizes": sizes_table(self.board.sets.all()),
            "harness": sorted({run.spec.harness for run in self.board.runs}),
            "prompts": sorted({run.spec.prompt for run in self.board.runs}),
        }


def shown_numbers(section: Section) -> list[Number]:
    """Return the columns of a section's table; numbers over several orders stand on the pages of models alone."""
    return [number for number in section.numbers if number.example is None or number.example.orders == 1]


def _settings(run: BoardRun) -> list[tuple[str, str]]:
    spec = run.spec
    options: Mapping[str, Any] = spec.model.get("settings") or {}
    facts: dict[str, Any] = {
        "run id": run.key,
        "revision": spec.model.get("revision"),
        "weights": spec.model.get("weights"),
        "number format": spec.model.get("dtype"),
        "parameters": None if run.parameters is None else f"{run.parameters:,.0f}",
        "method": run.method,
        "control": spec.control,
        "frames": ", ".join(f"{task} {count}" for task, count in run.frames.items()),
        "prompt": spec.prompt,
        "orders of the options": None if spec.orders == 1 else str(spec.orders),
        "limit": None if spec.limit is None else f"{spec.limit} samples a subset, seed {spec.seed}",
        "seed": str(spec.seed),
        "EgoBench": spec.harness,
        "options": ", ".join(f"{key}={value}" for key, value in sorted(options.items())),
    }
    return [(name, str(value)) for name, value in facts.items() if value is not None and value != ""]


def _task_facts(name: str) -> Task | None:
    try:
        return load_task(name)
    except UnknownPluginError:
        return None
