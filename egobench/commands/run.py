"""``egobench run``."""

from __future__ import annotations

import os
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer
from rich.table import Table

from egobench.commands.arguments import (
    AsJson,
    Construction,
    Form,
    Seed,
    SystemPrompt,
    Tasks,
    choose_format,
    split_names,
)
from egobench.commands.console import Format, SlashedText, console, note, print_json, print_rows
from egobench.errors import EgoBenchError, bare_reason

if TYPE_CHECKING:
    from egobench.request import Forecast, RunRequest
    from egobench.run.spec import Shard

FORECAST_COLUMNS = {
    "samples": "samples",
    "clips": "clips",
    "files": "files",
    "missing_files": "missing files",
    "frames_to_decode": "frames to decode",
    "minutes": "estimated minutes",
    "prompt_tokens": "tokens read",
    "reply_tokens": "tokens written",
    "cost": "cost",
}
"""Columns of a dry run by field of :class:`egobench.request.Forecast`; the last ones where the model tells."""


def read_config(context: typer.Context, config: Path | None) -> Path | None:
    """Take options from a TOML file, as defaults of the command line.

    Raises:
        typer.BadParameter: If the file cannot be read, or names an option that there is not.
    """
    if config is None:
        return None
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{config}: {bare_reason(error)}") from error
    parameters = {
        spelling.removeprefix("--"): parameter.name or ""
        for parameter in context.command.params
        for spelling in parameter.opts
        if parameter.name != "config" and (spelling.startswith("--") or not spelling.startswith("-"))
    }
    spelled = {key: key.replace("_", "-") for key in content}
    unknown = sorted(key for key, spelling in spelled.items() if spelling not in parameters)
    if unknown:
        raise typer.BadParameter(f"{config}: no option {unknown[0]!r}; there are {', '.join(sorted(parameters))}")
    options = {parameters[spelling]: content[key] for key, spelling in spelled.items()}
    if isinstance(options.get("option"), dict):
        options["option"] = [f"{key}={value}" for key, value in options["option"].items()]
    elif isinstance(options.get("option"), str):
        options["option"] = [options["option"]]
    if isinstance(options.get("tasks"), list):
        options["tasks"] = ",".join(map(str, options["tasks"]))
    context.default_map = {**(context.default_map or {}), **options}
    return config


def run(
    model: Annotated[str, typer.Argument(help="A model's name, see egobench models.")],
    data: Annotated[Path, typer.Option(help="Folder of sample sets, from egobench build.")],
    out: Annotated[Path, typer.Option(help="Folder of runs.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder per task.")] = Path(),
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="A model option: key=value.")] = None,
    tasks: Tasks = None,
    construction: Construction = None,
    method: Annotated[
        Literal["auto", "generate", "likelihood-letter", "likelihood-sum", "likelihood-mean", "likelihood-official"],
        typer.Option(
            help="How an answer becomes a number; auto: letters where the model can, else generate; sums to rerank and "
            "for dual encoders."
        ),
    ] = "generate",
    control: Annotated[
        Literal["blind", "first-frame", "shuffled", "reversed", "other-video"] | None,
        typer.Option(help="Remove or alter the evidence."),
    ] = None,
    prompt: SystemPrompt = "first_person",
    frames: Annotated[
        int | None, typer.Option(min=0, help="Frames per clip; the model's or the task's if not given.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0, help="Frames per second of a clip instead, at most --max-frames of them.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="With --fps: most frames per clip, 64 if not given.")
    ] = None,
    orders: Annotated[
        int, typer.Option(min=1, help="Cyclic orders of the options: position bias, right in all of them.")
    ] = 1,
    rerank: Annotated[
        Path | None,
        typer.Option(help="Score a retriever's best texts of a gallery again: its run folder, .npy or .npz file."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="With --rerank: how many of them for each sample, 50 if not given.")
    ] = None,
    text_prior: Annotated[
        float, typer.Option(min=0, help="Take so much of an option's score without the video off its score.")
    ] = 0.0,
    name: Annotated[
        str, typer.Option(help="A name for the run, shown beside its model; never part of its identity.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most N samples per subset, a seeded choice.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per call of the model.")] = 1,
    device: Annotated[str | None, typer.Option(help="Same as -o device=...")] = None,
    dtype: Annotated[str | None, typer.Option(help="Same as -o dtype=...")] = None,
    min_coverage: Annotated[float, typer.Option(min=0, max=1, help="Least share of samples that got a reply.")] = 0.99,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads that decode, 1 if not given. With --engine ray: actors, one per GPU or processor of the "
            "cluster if not given.",
        ),
    ] = None,
    frame_store: Annotated[
        Path | None,
        typer.Option(help="Folder of decoded frames: clips that it has are not decoded, others are put there."),
    ] = None,
    clip_timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds that a clip may take to be decoded; then it is a media error.")
    ] = 600.0,
    engine: Annotated[
        Literal["local", "shards", "ray"],
        typer.Option(
            help="Where the run is done: in this process alone; in this and others that share the run folder; in "
            "actors of a Ray cluster."
        ),
    ] = "local",
    shard: Annotated[
        str | None,
        typer.Option(
            help="With --engine shards, the share that this process begins with, as INDEX/COUNT; from RANK and "
            "WORLD_SIZE, or from SLURM's variables, if not given."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and estimate; write nothing.")] = False,
    config: Annotated[  # noqa: ARG001 - read_config has taken its options
        Path | None,
        typer.Option(
            is_eager=True,
            callback=read_config,
            help="A TOML file with any of these options; the command line goes before it.",
        ),
    ] = None,
    seed: Seed = 0,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Evaluate a model. Running the same command again goes on where it stopped.

    Exit code 0 if at least --min-coverage of the samples got a reply, else 1.

    Example: egobench run hf -o checkpoint=Qwen/Qwen2-VL-7B-Instruct --data data --videos videos --out runs

    With options from a file, its keys named as they are here, those of the model in a table [option]:

    Example: egobench run --config run.toml

    By log-probabilities of the letters where the model has them:

    Example: egobench run hf ... --method auto

    By those of the options' texts, less what each has without the video:

    Example: egobench run hf ... --method likelihood-sum --text-prior 1

    As two processes that share the work, here or on two machines:

    Example: egobench run hf ... --engine shards --shard 0/2 & egobench run hf ... --engine shards --shard 1/2

    A dual encoder also scores galleries, and another model the best texts that one has found:

    Example: egobench run hf ... --method auto --rerank runs/clip-vit-large-patch14/0123456789ab
    """
    from egobench.request import RunRequest
    from egobench.retrieval.rerank import TOP
    from egobench.run.spec import Settings

    if (fps is not None and frames is not None) or (fps is None and max_frames is not None):
        raise typer.BadParameter("give --frames, or --fps with --max-frames")
    if top is not None and rerank is None:
        raise typer.BadParameter("--top goes with --rerank")
    options = _options([*(option or []), *_option("device", device), *_option("dtype", dtype)])
    settings = Settings(
        method="generate" if method == "auto" else method,
        control=control,
        prompt=prompt,
        frames=max_frames if fps is not None else frames,
        fps=fps,
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        workers=1 if workers is None or engine == "ray" else workers,
        orders=orders,
        text_prior=text_prior,
        clip_timeout=clip_timeout,
        frame_store=frame_store,
        shard=choose_shard(engine, shard),
    )
    request = RunRequest(
        model=model,
        options=options,
        data=data,
        tasks=split_names(tasks),
        construction=construction,
        videos=videos,
        out=out,
        settings=settings,
        rerank=rerank,
        top=TOP if top is None else top,
        choose_method=method == "auto",
        name=name,
    )
    chosen = choose_format(form, as_json=as_json)
    if dry_run:
        print_forecast(request, chosen)
    elif print_run(request, chosen, RayActors(workers) if engine == "ray" else None) < min_coverage:
        raise EgoBenchError(
            f"fewer than {min_coverage:.0%} of the samples got a reply; the warnings above say why; "
            "mend it and run the same command again, or lower --min-coverage"
        )


def choose_shard(engine: str, shard: str | None) -> Shard | None:
    """The share that a process begins with; ``None`` for a process that works alone.

    Raises:
        typer.BadParameter: If none is named where one is needed, or what names it cannot be read.
    """
    from egobench.engines.shards import find_shard, parse_shard

    if engine != "shards":
        if shard is not None:
            raise typer.BadParameter("--shard goes with --engine shards")
        return None
    try:
        share = find_shard(os.environ) if shard is None else parse_shard(shard)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if share is None:
        raise typer.BadParameter(
            "which share? Give --shard INDEX/COUNT, or start it by torchrun or srun, which set RANK and WORLD_SIZE, or "
            "SLURM_PROCID and SLURM_NTASKS"
        )
    return share


class RayActors(NamedTuple):
    """Actors of a Ray cluster that do a run.

    Attributes:
        workers: How many; ``None`` for one per GPU or processor of the cluster.
    """

    workers: int | None


def print_run(request: RunRequest, form: Format, actors: RayActors | None = None) -> float:
    """Do a run and print its scores.

    Args:
        request: The run.
        form: How scores are printed.
        actors: What does it elsewhere; ``None`` for this process.

    Returns:
        Its coverage: the share of samples that got a reply, in [0, 1].

    Raises:
        EgoBenchError: If the model, a sample set or the run folder cannot be used.
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.commands.tables import run_table, score_rows
    from egobench.request import evaluate_on_ray, evaluate_request
    from egobench.scoring.score import coverage

    try:
        with ProgressObserver() as observer:
            if actors is None:
                result = evaluate_request(request, observer, command=sys.argv)
            else:
                result = evaluate_on_ray(request, observer, workers=actors.workers, command=sys.argv)
    except KeyboardInterrupt:
        note("stopped: what was answered is kept, and the same command goes on from there")
        raise
    if form == "json":
        scores = {protocol_id: entry.to_json() for protocol_id, entry in result.scores.items()}
        print_json({"run": str(result.path), "usage": result.usage.to_json(), "scores": scores})
    else:
        print_rows(score_rows(result.scores), [run_table(result.scores, str(result.path))], form)
    if form == "table":
        if result.usage.line:
            console().print(result.usage.line, soft_wrap=True)
        console().print(f"run folder: {result.path}", soft_wrap=True)
    return coverage(result.scores.values())


def print_forecast(request: RunRequest, form: Format) -> None:
    """Print what a run would ask, open and decode, and its estimated time; nothing is kept.

    Raises:
        EgoBenchError: If the model or a sample set cannot be used.
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.request import forecast

    with ProgressObserver() as observer:
        loaded = request.load(observer)
        forecasts = [forecast(loaded, sample_set, request.videos, observer) for sample_set in loaded.sets]
    print_rows([asdict(row) for row in forecasts], [forecast_table(forecasts)], form)


def forecast_table(forecasts: list[Forecast]) -> Table:
    """A table with one line per sample set, and their sum."""
    table = Table(title="dry run: nothing was kept", title_justify="left")
    table.add_column("sample set", overflow="fold")
    rows = [asdict(row) for row in forecasts]
    columns = {key: title for key, title in FORECAST_COLUMNS.items() if any(row[key] is not None for row in rows)}
    for title in columns.values():
        table.add_column(title, justify="right")
    sums: dict[str, Any] = {"set": "all", **{key: sum(row[key] or 0 for row in rows) for key in columns}}
    for row in [*rows, sums]:
        if row is sums:
            table.add_section()
        table.add_row(SlashedText(row["set"]), *(_cell(key, row[key]) for key in columns))
    return table


def _cell(key: str, value: float | None) -> str:
    from egobench.run.usage import price

    if value is None:
        return "-"
    return price(value) if key == "cost" else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _option(key: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{key}={value}"]


def _options(pairs: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"{pair!r} is not key=value")
        if options.setdefault(key, value) != value:
            raise typer.BadParameter(f"{key} is {options[key]!r} and {value!r}; give it once")
    return options
