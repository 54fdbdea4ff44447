"""``exo2ego clips``: Ego-Exo4D's official files to Ego-ExoClip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from egobench.commands.arguments import AsJson, split_names
from egobench.commands.console import console, print_json
from reference_exo2ego.commands.arguments import Out, SkipBad

if TYPE_CHECKING:
    from rich.table import Table

    from reference_exo2ego.data.clip_rule import ClipRule
    from reference_exo2ego.data.ego_exo_clip import ClipReport

BREAKDOWN = 12
"""Rows of each breakdown in the table; JSON has all of them."""


def clips(
    egoexo4d: Annotated[Path, typer.Option(help="Folder of Ego-Exo4D: takes.json, annotations/, takes/.")],
    out: Out,
    splits: Annotated[str, typer.Option(help="Takes of these splits, with commas.")] = "train",
    resolution: Annotated[Literal["full", "448"], typer.Option(help="Whole files, or those of 448 lines.")] = "full",
    views: Annotated[Literal["all", "best"], typer.Option(help="Exocentric cameras of a clip.")] = "all",
    group: Annotated[
        Literal["pass", "take"], typer.Option(help="Whose narrations bound one another: an annotator's, or a take's.")
    ] = "pass",
    alpha: Annotated[
        float | None, typer.Option(help="Seconds for alpha of Eq. 1 (paper: 1.92); else computed.")
    ] = None,
    subject: Annotated[
        Literal["C", "O"] | None, typer.Option(help="Only narrations about the wearer (C) or about others (O).")
    ] = None,
    drop_unsure: Annotated[
        bool, typer.Option("--drop-unsure", help="Leave out what annotators were unsure of.")
    ] = False,
    ego_visible: Annotated[bool, typer.Option("--ego-visible", help="Leave out what the wearer's view lacks.")] = False,
    wearer: Annotated[str, typer.Option(help="What stands for the word C in the texts.")] = "C",
    offsets: Annotated[Path | None, typer.Option(help="CSV of late cameras: take_uid, camera, seconds.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Look at every video's index.")] = True,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every frame while checking; slow.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads that look at videos.")] = 2,
    plots: Annotated[Path | None, typer.Option(help="Folder for figures, SVG.")] = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Make Ego-ExoClip: a clip of the wearer's view and its exocentric views for every narration of Ego-Exo4D.

    Beside OUT lie OUT.report.json (statistics, what was left out and why, hashes of the annotation files) and
    OUT.checks.jsonl (what was found out about each video; the same command again looks at new files only).

    Example: exo2ego clips --egoexo4d egoexo4d --out ego_exo_clip.jsonl --plots figures
    """
    from reference_exo2ego.data.clip_rule import ClipRule

    rule = ClipRule(
        splits=split_names(splits) or ("train",),
        resolution=resolution,
        views=views,
        group=group,
        alpha=alpha,
        subject=subject,
        keep_unsure=not drop_unsure,
        keep_unseen=not ego_visible,
        wearer=wearer,
    )
    file_of_checks = out.with_name(f"{out.name}.checks.jsonl") if check else None
    report = _build(egoexo4d, out, rule, file_of_checks, offsets, workers=workers, decode=decode, skip_bad=skip_bad)
    content = _report_json(report, rule)
    _write_report(out.with_name(f"{out.name}.report.json"), content)
    if plots is not None:
        from reference_exo2ego.data.clip_plots import plot_statistics

        plot_statistics(content["statistics"], plots)
    if as_json:
        print_json(content)
    else:
        console().print(*_tables(report, out))


def _build(
    egoexo4d: Path,
    out: Path,
    rule: ClipRule,
    file_of_checks: Path | None,
    offsets: Path | None,
    *,
    workers: int,
    decode: bool,
    skip_bad: bool,
) -> ClipReport:
    from egobench.annotations import Annotations
    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.data.camera_offsets import read_offsets
    from reference_exo2ego.data.ego_exo_clip import build_clips
    from reference_exo2ego.data.take_videos import VideoCheck

    late = read_offsets(offsets) if offsets else {}
    check = VideoCheck(file_of_checks, workers=workers, decode=decode) if file_of_checks else None
    with ProgressObserver() as observer:
        files = Annotations(egoexo4d, skip_bad=skip_bad)
        return build_clips(files, out, rule, check=check, offsets=late, observer=observer)


def _report_json(report: ClipReport, rule: ClipRule) -> dict[str, Any]:
    from dataclasses import asdict

    from reference_exo2ego.data.clip_statistics import PAPER

    return {
        "alpha": report.alpha,
        "statistics": report.statistics.to_json(),
        "paper": dict(PAPER),
        "left_out": report.exclusions.to_json(),
        "malformed": report.problems,
        "rule": asdict(rule),
        "videos_checked": report.checked,
        "sources": dict(report.sources),
    }


def _write_report(path: Path, content: dict[str, Any]) -> None:
    from egobench.errors import TrainingDataError
    from egobench.whole_file import replace_file

    try:
        replace_file(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise TrainingDataError(f"{path}: cannot be written ({error.strerror})") from error


def _tables(report: ClipReport, out: Path) -> Iterator[Table]:
    from rich.table import Table

    from reference_exo2ego.data.clip_statistics import beside_paper

    caption = "Durations in seconds, shares in [0, 1]. Videos were not looked at." if not report.checked else None
    table = Table(title=str(out), title_justify="left", caption=caption, caption_justify="left")
    table.add_column("")
    for column in ("here", "paper"):
        table.add_column(column, justify="right")
    for line in beside_paper(report.statistics.numbers(), report.alpha):
        table.add_row(line.name.replace("_", " "), _number(line.here), _number(line.paper))
    yield table
    if report.exclusions.counts or report.problems:
        table = Table(
            title="left out", title_justify="left", caption="All of it: OUT.report.json", caption_justify="left"
        )
        table.add_column("what")
        table.add_column("number", justify="right")
        table.add_column("for example", overflow="fold")
        for reason, count in report.exclusions.counts.most_common():
            table.add_row(reason, str(count), *report.exclusions.examples.get(reason, ["-"])[:1])
        if report.problems:
            first = report.problems[0]
            table.add_row("malformed row", str(len(report.problems)), f"{first['id']}: {first['reason']}")
        yield table
    for kind, values in report.statistics.breakdown().items():
        table = Table(title=f"by {kind}", title_justify="left")
        table.add_column(kind)
        for column in ("takes", "hours", "narrations"):
            table.add_column(column, justify="right")
        for value, part in list(values.items())[:BREAKDOWN]:
            table.add_row(value, f"{part['takes']:,}", f"{part['hours']:.2f}", f"{part['narrations']:,}")
        yield table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
