"""``exo2ego ablate``: what each part of Exo2Ego adds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, split_names
from egobench.commands.console import console, note, print_json
from reference_exo2ego.commands.arguments import print_lines

if TYPE_CHECKING:
    from reference_exo2ego.training.ablation.forecast import WorkForecast
    from reference_exo2ego.training.ablation.study import Study


def ablate(
    recipe: Annotated[str, typer.Argument(help="The recipe that is varied: tiny, small, or a file with RECIPE.")],
    data: Annotated[Path, typer.Option(help="Folder of data and weights that the recipe names.")],
    sets: Annotated[Path, typer.Option("--sample-sets", help="Sample sets that are asked, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of their videos.")],
    out: Annotated[Path, typer.Option(help="Folder of the ablation; one that is there already is gone on with.")],
    changes: Annotated[list[str] | None, typer.Argument(help="Other values of the recipe: stage3.steps=200.")] = None,
    only: Annotated[str | None, typer.Option(help="Only these variants or tables, with commas.")] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="A variant of your own: a name, a colon, values of the recipe; in table own."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, with commas.")] = "0,1,2",
    shares: Annotated[str, typer.Option(help="Shares of egocentric data of the curve.")] = "1,0.3,0.1,0.03",
    detect: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Difference that is to be found: it decides how much is asked.")
    ] = 0.02,
    method: Annotated[
        Literal["generate", "likelihood-sum", "likelihood-mean", "likelihood-letter"],
        typer.Option(help="How an answer becomes a number."),
    ] = "likelihood-sum",
    frame_store: Annotated[
        Path | None, typer.Option(help="Read clips from this store; what it lacks is decoded into it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read batches ahead.")] = 2,
    save_every: Annotated[int, typer.Option(min=0, help="Steps between checkpoints of a training.")] = 100,
    timings: Annotated[
        list[Path] | None, typer.Option(help="A training of the recipe, whose log tells how long stages take.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write the results into this page as well.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would take, and do nothing of it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Begin without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train and ask variants of a recipe: the paper's Tables 7, 8, 9, 15 and 16, and scarce egocentric data.

    A training that variants have in common is done once, and none is done again: the same command goes on after any
    stop. Several processes may share a folder, one for each of --seeds, say.

    Example: exo2ego ablate tiny --data train --sample-sets data --videos videos --out ablations --dry-run

    Example: exo2ego ablate tiny --variant "weak-kl: model.weights.kl=0.1" --only own --data train --sample-sets data
    --videos videos --out ablations

    Example: exo2ego ablate tiny --only table7,single --data train --sample-sets data --videos videos --out ablations
    """
    from reference_exo2ego.commands.libraries import prepare_libraries

    prepare_libraries()

    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.training.ablation.page import split_page
    from reference_exo2ego.training.ablation.study import StudyRequest
    from reference_exo2ego.training.loop import LoopSettings
    from reference_exo2ego.training.recipe import load_recipe, override
    from reference_exo2ego.training.signals import STOPPED, stop_requests

    request = StudyRequest(
        recipe=override(load_recipe(recipe), changes or []),
        folder=out,
        data=data,
        sets=sets,
        videos=videos,
        store=frame_store,
        only=split_names(only),
        own=variant or [],
        seeds=_numbers(seeds, "--seeds", int),
        shares=_numbers(shares, "--shares", float),
        detect=detect,
        method=method,
        loop=LoopSettings(workers=workers, save_every=save_every),
        timings=timings or [],
    )
    if page is not None:
        split_page(page)  # Before hours of work that would end without it.
    with ProgressObserver() as observer:
        study = request.open(observer)
        forecast = study.forecast()
    if as_json and not dry_run:
        note(f"{_hours(forecast.seconds)} of work, one after the other")
    else:
        _print_forecast(study, forecast, as_json=as_json)
    if dry_run:
        return
    if forecast.seconds > 0 and not yes:
        typer.confirm(f"Begin? {_hours(forecast.seconds)} of work (--yes: without asking)", abort=True, err=True)
    with ProgressObserver() as observer, stop_requests() as asked_to_stop:
        done = request.open(observer, asked_to_stop).work(sys.argv)
    if not done:
        note(f"stopped; what is done is in {out}, and the same command goes on with it")
        raise typer.Exit(STOPPED)
    results = study.write_results(page)
    if as_json:
        print_json(results)
        return
    console().print(*_result_tables(results))
    print_lines(f"results: {out / 'results.json'}", f"page: {out / 'ablations.md'}")


def _numbers(text: str, option: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        numbers = tuple(dict.fromkeys(kind(each) for each in text.split(",")))
    except ValueError as error:
        raise ValueError(f"{option} {text}: expected numbers with commas between them ({error})") from error
    if any(number < 0 for number in numbers):
        raise ValueError(f"{option} {text}: expected numbers of at least 0")
    return numbers


def _print_forecast(study: Study, forecast: WorkForecast, *, as_json: bool) -> None:
    if as_json:
        print_json({"score": study.score._asdict(), "questions": study.questions._asdict(), **forecast.to_json()})
        return
    by_stage = Table("stage", title="what there is to train", title_justify="left")
    for column in ("trainings", "done", "steps", "hours left"):
        by_stage.add_column(column, justify="right")
    for name in dict.fromkeys(stage.job.step.stage for stage in forecast.stages):
        members = [stage for stage in forecast.stages if stage.job.step.stage == name]
        left = [stage for stage in members if not stage.done]
        hours, steps = sum(stage.seconds for stage in left) / 3600, sum(stage.steps for stage in left)
        by_stage.add_row(name, f"{len(members):,}", f"{len(members) - len(left):,}", f"{steps:,}", f"{hours:,.2f}")
    console().print(by_stage)
    print_lines(
        f"{forecast.unshared:,} trainings are {len(forecast.stages):,}, for variants share them",
        f"{forecast.runs:,} times {study.questions.asked:,} questions, {forecast.finished_runs:,} of them done; "
        f"{_hours(forecast.asking_seconds)}",
        f"compared by {study.score.name}; planned to be found: differences of "
        f"{100 * study.questions.detectable:.1f} points",
        f"in all: {_hours(forecast.seconds)} on this machine as busy as it is, one after the other",
    )
    for variant, reason in study.ablation.absent.items():
        print_lines(f"left out: {variant}: {reason}")


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.2f} hours"


def _result_tables(results: dict[str, Any]) -> list[Table]:
    tables: list[Table] = []
    for content in results["tables"]:
        table = Table(title=f"{content['title']}, {results['score']['name']}", title_justify="left")
        table.add_column("variant")
        for column in ("paper", "here", "against", "difference", "95 %", "detectable", "seeds differ by"):
            table.add_column(column, justify="right")
        for row in content["rows"]:
            variant, difference = results["variants"][row["variant"]], row.get("difference")
            cells = [row["variant"], _points(row["paper"]), _points(variant["value"])]
            if difference is not None:
                ends = difference["low"], difference["high"]
                cells += [
                    row["against"],
                    _points(difference["effect"], "+"),
                    " to ".join(_points(e, "+") for e in ends),
                ]
                cells += [_points(difference["detectable"]), _points(row["difference_sd"])]
            table.add_row(*cells)
        tables.append(table)
    return tables


def _points(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{100 * value:{sign}.1f}"
