"""``egobench compare``: a comparison of runs as tables, and the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.table import Table

from egobench.commands.tables import percent
from egobench.compare import Compared, Comparison, Number
from egobench.statistics import PairedTest

FEW = 40
"""Clusters below which a clustered test is called rough: its level holds less well where their sizes differ much."""


def comparison_tables(found: Comparison) -> Group:
    """A comparison as a person reads it: a table for each run that the first one is compared with, then rank sets."""
    tables = [_against(found, other) for other in range(1, len(found.runs))]
    if any(number.ranks for number in found.numbers):
        tables.append(_ranks(found))
    return Group(*tables, *_notes(found))


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison as a JSON object; values in [0, 1]."""
    return {
        "runs": [
            {
                "name": run.name,
                "path": str(run.path),
                "model": run.spec.model["name"],
                "method": run.spec.method,
                "control": run.spec.control,
                "differs": list(run.differs),
            }
            for run in found.runs
        ],
        "numbers": [_number_json(found.runs, number) for number in found.numbers],
        "averages": [_number_json(found.runs, number) for number in found.averages],
        "absent": {name: list(ids) for name, ids in found.absent.items()},
        "problems": dict(found.problems),
        "family": {"correction": "Holm", "tests": found.family},
    }


def _number_json(runs: Sequence[Compared], number: Number) -> dict[str, Any]:
    run_names = [run.name for run in runs]
    tests = zip(runs[1:], number.tests, number.adjusted, strict=True)
    return {
        "id": number.id,
        "headline": number.headline,
        "partial": number.partial,
        "values": dict(zip(run_names, number.values, strict=True)),
        "intervals": {name: asdict(held) for name, held in zip(run_names, number.intervals, strict=False)},
        "tests": [
            {"first": run_names[0], "second": run.name, "what": run.gain, **asdict(test), "p_holm": adjusted}
            for run, test, adjusted in tests
        ],
        "ranks": {
            name: None if held is None else [held.best, held.worst]
            for name, held in zip(run_names, number.ranks, strict=False)
        },
    }


def _against(found: Comparison, other: int) -> Table:
    first, second = found.runs[0], found.runs[other]
    title = f"{second.gain}: {_label(first)} minus {_label(second)}"
    if second.gain == "difference":
        title += f" (differ in {', '.join(second.differs) or 'nothing'})"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("number", overflow="fold")
    for name in ("n", "videos", "first", "second", f"{second.gain} [95 %]", "p", "Holm p", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    for section in (found.numbers, found.averages):
        for number in section:
            test = number.tests[other - 1]
            table.add_row(
                number.id + (" (PARTIAL)" if number.partial else ""),
                str(test.n),
                f"{test.clusters}{'*' if test.clusters < FEW else ''}",
                percent(number.values[0]),
                percent(number.values[other]),
                f"{_signed(test.effect)} {_interval(test)}",
                _p(test.p),
                _p(number.adjusted[other - 1]),
                percent(test.detectable),
            )
        table.add_section()
    return table


def _ranks(found: Comparison) -> Table:
    table = Table(title="rank sets: the ranks a run can have", title_justify="left")
    table.add_column("number", overflow="fold")
    for run in found.runs:
        table.add_column(_label(run), justify="right", overflow="fold")
    for number in (*found.numbers, *found.averages):
        cells = [
            "-" if held is None else f"{held} ({percent(value)})"
            for held, value in zip(number.ranks, number.values, strict=True)
        ]
        table.add_row(number.id, *cells)
    return table


def _notes(found: Comparison) -> list[str]:
    notes = [
        "Scores x 100. Differences: paired by sample, clustered by video, above 0 where the first run is better.",
        f"Holm p: over the {found.family} tests of headline numbers. Detectable: the true difference that such a test, "
        "two-sided at 5 %, finds in 80 % of repetitions.",
    ]
    tests = [test for number in (*found.numbers, *found.averages) for test in number.tests]
    if any(test.clusters < FEW for test in tests):
        notes.append(f"* fewer than {FEW} videos: errors and p are rough.")
    if any(number.ranks for number in found.numbers):
        notes.append("Rank sets of a line are right together in 95 % of all cases.")
    if any(number.partial for number in found.numbers):
        notes.append("PARTIAL: not all samples were asked. Class-wise mAP of a part does not compare with that of all.")
    for average in found.averages:
        each = [
            f"{_label(run)} {percent(held.value)}"
            + ("" if held.low is None else f" [{percent(held.low)}, {percent(held.high)}]")
            for run, held in zip(found.runs, average.intervals, strict=True)
        ]
        notes.append(f"{average.id}: {'; '.join(each)}; its videos are those of the number that has fewest.")
    for name, missing in found.absent.items():
        notes.append(f"No {name}: it needs ten numbers, and {len(missing)} are not there: {', '.join(missing)}.")
    return notes + [f"{key} was not compared: {problem}." for key, problem in found.problems.items()]


def _label(run: Compared) -> str:
    return run.name + (f" ({run.spec.control})" if run.spec.control else "")


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _interval(test: PairedTest) -> str:
    return "-" if test.low is None or test.high is None else f"[{_signed(test.low)}, {_signed(test.high)}]"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
