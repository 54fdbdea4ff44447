"""``egobench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, Seed, Tasks, choose_format, split_names
from egobench.commands.console import SlashedText, console, print_json, print_rows
from egobench.commands.tables import percent

if TYPE_CHECKING:
    from egobench.comparison import ComparedRun, Comparison
    from egobench.statistics import PairedTest

FEW = 40
"""Clusters below which a clustered test is called rough: its level holds less well where their sizes differ much."""


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first is compared with each of the others.")],
    data: Annotated[Path | None, typer.Option(help="Folder of their sample sets, if they have moved.")] = None,
    tasks: Tasks = None,
    everything: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones only.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Also draw a picture, a name in .svg or .png: a curve over the runs for each number."),
    ] = None,
    seed: Seed = 0,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Compare runs over the same samples: paired differences, tests, rank sets; a run and its control give its gain.

    Example: egobench compare runs/hf/0123456789ab runs/random/ba9876543210

    Checkpoints that were named with run --name, in the order of training:

    Example: egobench compare runs/hf/* --plot curve.svg
    """
    from egobench.charts.picture import check_picture
    from egobench.compare import compare as compare_runs

    if plot is not None:
        check_picture(plot)
    comparison = compare_runs(runs, data, tasks=split_names(tasks), everything=everything, seed=seed)
    chosen = choose_format(form, as_json=as_json)
    if chosen == "json":
        print_json(comparison.to_json())
    elif chosen == "table":
        console().print(*comparison_tables(comparison), *comparison_notes(comparison), sep="\n")
    else:
        print_rows(comparison.rows(), comparison_tables(comparison), chosen)
    if plot is not None:
        write_plot(comparison, plot)


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw the scores of a comparison as curves over its runs.

    Raises:
        EgoBenchError: If scores of a run are damaged, or the file cannot be written.
    """
    from egobench.charts.curves import Curve, CurvePoint, write_curves
    from egobench.scoring.overview import read_scores_file

    entries = [read_scores_file(run.path) for run in comparison.runs]
    curves: list[Curve] = []
    for score in comparison.scores:
        of_runs = [by_id.get(score.id) for by_id in entries]
        points = [
            CurvePoint(run.name, None) if entry is None else CurvePoint(run.name, entry.value, entry.low, entry.high)
            for run, entry in zip(comparison.runs, of_runs, strict=True)
        ]
        first = of_runs[0]
        floors = (first.chance, first.blind, first.blind_trained) if first else ()
        curves.append(Curve(score.id, points, *floors))
    write_curves(curves, path)


def comparison_tables(comparison: Comparison) -> list[Table]:
    """A table per run that the first one is compared with, then a table of rank sets."""
    tables = [_against(comparison, other) for other in range(1, len(comparison.runs))]
    if any(score.ranks for score in comparison.scores):
        tables.append(_ranks(comparison))
    return tables


def _against(comparison: Comparison, other: int) -> Table:
    first, second = comparison.runs[0], comparison.runs[other]
    title = f"{second.gain}: {_label(first)} minus {_label(second)}"
    if second.gain == "difference":
        title += f" (differ in {', '.join(second.differs) or 'nothing'})"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("number", overflow="fold")
    for name in ("n", "videos", "first", "second", f"{second.gain} [95 %]", "p", "Holm p", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    for section in (comparison.scores, comparison.averages):
        for score in section:
            test = score.tests[other - 1]
            table.add_row(
                SlashedText(score.id + (" (PARTIAL)" if score.partial else "")),
                str(test.n),
                f"{test.clusters}{'*' if test.clusters < FEW else ''}",
                percent(score.values[0]),
                percent(score.values[other]),
                f"{_signed(test.effect)} {_interval(test)}",
                _p(test.p),
                _p(score.adjusted[other - 1]),
                percent(test.detectable),
            )
        table.add_section()
    return table


def _ranks(comparison: Comparison) -> Table:
    table = Table(title="rank sets: the ranks a run can have", title_justify="left")
    table.add_column("number", overflow="fold")
    for run in comparison.runs:
        table.add_column(_label(run), justify="right", overflow="fold")
    for score in (*comparison.scores, *comparison.averages):
        cells = [
            "-" if interval is None else f"{interval} ({percent(value)})"
            for interval, value in zip(score.ranks, score.values, strict=True)
        ]
        table.add_row(SlashedText(score.id), *cells)
    return table


def comparison_notes(comparison: Comparison) -> list[str]:
    """What a reader of the tables has to know."""
    notes = [
        "Scores x 100. Differences: paired by sample, clustered by video, above 0 where the first run is better.",
        f"Holm p: over the {comparison.family} tests of headline numbers. Detectable: the true difference that such a "
        "test, two-sided at 5 %, finds in 80 % of repetitions.",
    ]
    tests = [test for score in (*comparison.scores, *comparison.averages) for test in score.tests]
    if any(test.clusters < FEW for test in tests):
        notes.append(f"* fewer than {FEW} videos: errors and p are rough.")
    if any(score.ranks for score in comparison.scores):
        notes.append("Rank sets of a line are right together in 95 % of all cases.")
    if any(score.partial for score in comparison.scores):
        notes.append("PARTIAL: not all samples were asked. Class-wise mAP of a part does not compare with that of all.")
    for average in comparison.averages:
        per_run = [
            f"{_label(run)} {percent(interval.value)}"
            + ("" if interval.low is None else f" [{percent(interval.low)}, {percent(interval.high)}]")
            for run, interval in zip(comparison.runs, average.intervals, strict=True)
        ]
        notes.append(f"{average.id}: {'; '.join(per_run)}; its videos are those of the number that has fewest.")
    for name, missing in comparison.absent.items():
        notes.append(f"No {name}: it needs ten numbers, and {len(missing)} are not there: {', '.join(missing)}.")
    return notes + [f"{key} was not compared: {problem}." for key, problem in comparison.problems.items()]


def _label(run: ComparedRun) -> str:
    return run.name + (f" ({run.spec.control})" if run.spec.control else "")


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _interval(test: PairedTest) -> str:
    return "-" if test.low is None or test.high is None else f"[{_signed(test.low)}, {_signed(test.high)}]"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
