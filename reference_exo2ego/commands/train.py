"""``exo2ego train``: a recipe's stages, from weights and data to a checkpoint that answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, split_names
from egobench.commands.console import console, note, print_json, print_rows
from egobench.observer import SilentObserver
from reference_exo2ego.commands.arguments import print_lines

if TYPE_CHECKING:
    from reference_exo2ego.training.evaluating import TaskScores
    from reference_exo2ego.training.run import Training
    from reference_exo2ego.training.tracking import Tracker


def train(
    recipe: Annotated[str, typer.Argument(help="tiny, small, 7b, or a Python file that defines RECIPE.")],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Other values: stage3.rate=1e-5 model.kl=gaussian init=published.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of data and weights that the recipe names.")] = Path(),
    out: Annotated[Path, typer.Option(help="Folder of this training.")] = Path("runs/exo2ego"),
    stages: Annotated[str | None, typer.Option(help="Only these stages, with commas.")] = None,
    begin_from: Annotated[
        Path | None, typer.Option("--from", help="Begin the first of them from this model instead of the stage before.")
    ] = None,
    engine: Annotated[
        Literal["auto", "torch", "deepspeed"],
        typer.Option(help="auto: DeepSpeed on GPUs and where --deepspeed is given, else torch alone."),
    ] = "auto",
    deepspeed: Annotated[
        str | None, typer.Option(help="Stage of ZeRO, 0 to 3, or DeepSpeed's JSON file, such as zero2.json.")
    ] = None,
    frame_store: Annotated[Path | None, typer.Option(help="Read clips from this store instead of decoding.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read batches ahead.")] = 2,
    save_every: Annotated[
        int, typer.Option(min=0, help="Steps between checkpoints; 0: the last, and before scores.")
    ] = 500,
    keep: Annotated[int, typer.Option(min=1, help="Checkpoints of a stage that stay.")] = 2,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between lines of the log.")] = 10,
    validate_every: Annotated[
        int, typer.Option(min=0, help="Steps between validations; 0: before the first step and after the last alone.")
    ] = 0,
    evaluate: Annotated[
        Path | None, typer.Option(help="Sample sets to score the model on, from egobench build.")
    ] = None,
    evaluate_videos: Annotated[
        Path | None, typer.Option(help="Folder of their videos, or of one such folder per task.")
    ] = None,
    evaluate_every: Annotated[int, typer.Option(min=0, help="Steps between scores; 0: the end of each stage.")] = 0,
    evaluate_limit: Annotated[int | None, typer.Option(min=1, help="Samples per subset.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Score only these tasks, with commas.")] = None,
    track: Annotated[str | None, typer.Option(help="Further sinks, with commas: tensorboard, wandb.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would take, and train nothing.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes that --dry-run computes for.")] = None,
    overfit_one_batch: Annotated[
        bool, typer.Option("--overfit-one-batch", help="Learn each stage's first batch by heart; nothing is written.")
    ] = False,
    overfit_steps: Annotated[int, typer.Option(min=1, help="Steps that --overfit-one-batch takes at most.")] = 300,
    as_json: AsJson = False,
    local_rank: Annotated[int, typer.Option("--local_rank", "--local-rank", hidden=True, envvar="LOCAL_RANK")] = 0,
) -> None:
    """Train Exo2Ego. The same command goes on where an earlier one stopped.

    Example: exo2ego train 7b init=published --data data --out runs/7b --deepspeed 2

    Several processes: torchrun --nproc-per-node 8 -m reference_exo2ego train 7b ..., or
    deepspeed --num_gpus 8 --module reference_exo2ego train 7b ...
    """
    from reference_exo2ego.commands.libraries import prepare_libraries

    prepare_libraries()

    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.training.loop import LoopSettings
    from reference_exo2ego.training.processes import begin_processes, end_processes
    from reference_exo2ego.training.recipe import load_recipe, override
    from reference_exo2ego.training.run import Training
    from reference_exo2ego.training.signals import stop_requests
    from reference_exo2ego.training.zero import read_zero

    chosen_recipe, zero = override(load_recipe(recipe), changes or []), read_zero(deepspeed) if deepspeed else {}
    if dry_run and overfit_one_batch:
        raise typer.BadParameter("--dry-run trains nothing, and --overfit-one-batch does; leave one of them out")
    if evaluate is None and (tasks or evaluate_limit or evaluate_every or evaluate_videos):
        raise typer.BadParameter("--tasks, --evaluate-videos, --evaluate-limit and --evaluate-every go with --evaluate")
    if evaluate is not None and evaluate_videos is None:
        raise typer.BadParameter("--evaluate goes with --evaluate-videos, the folder of the videos of its sample sets")
    chosen_stages, sinks = split_names(stages), split_names(track) or ()
    scores = _scores(evaluate, evaluate_videos, evaluate_every, evaluate_limit, tasks)
    these = begin_processes(local_rank)
    try:
        with ProgressObserver() as observer, stop_requests() as request:
            training = Training(
                recipe=chosen_recipe,
                folder=out,
                data=data,
                store=frame_store,
                engine=_engine(engine, zero),
                zero=zero,
                before=begin_from,
                processes=these,
                settings=LoopSettings(
                    workers=workers,
                    save_every=save_every,
                    keep=keep,
                    log_every=log_every,
                    validate_every=validate_every,
                ),
                scores=scores,
                observer=observer if these.first else SilentObserver(),
                asked_to_stop=request,
            )
            if dry_run:
                _print_estimates(training, chosen_stages, processes or these.count, as_json=as_json)
            elif overfit_one_batch:
                _overfit(training, chosen_stages, overfit_steps, as_json=as_json)
            else:
                _train(training, chosen_stages, sinks, as_json=as_json)
    finally:
        end_processes()


def _engine(engine: str, zero: dict[str, Any]) -> Literal["torch", "deepspeed"]:
    import torch

    if engine == "torch" and zero:
        raise ValueError("--engine torch has no use for --deepspeed; leave one of them out")
    if engine == "auto":
        return "deepspeed" if zero or torch.cuda.is_available() else "torch"
    return "torch" if engine == "torch" else "deepspeed"


def _scores(
    data: Path | None, videos: Path | None, every: int, limit: int | None, tasks: str | None
) -> TaskScores | None:
    if data is None or videos is None:
        return None
    from egobench.dataset.sampleset import SampleSet, find_sets
    from reference_exo2ego.training.evaluating import TaskScores, check_videos

    sets = [SampleSet.read(folder) for folder in find_sets(data, split_names(tasks))]
    check_videos(sets, videos)  # Before hours of training.
    return TaskScores(sets=sets, videos=videos, every=every, limit=limit)


def _train(training: Training, stages: tuple[str, ...] | None, track: tuple[str, ...], *, as_json: bool) -> None:
    from reference_exo2ego.training.run import own_folder
    from reference_exo2ego.training.signals import STOPPED

    chosen = training.of_stages(stages)
    with own_folder(training):
        tracked = replace(training, tracker=_tracker(training, track))
        try:
            done = tracked.run(stages)
        finally:
            tracked.tracker.close()
    if not training.processes.first:
        raise typer.Exit(0 if done else STOPPED)
    if not done:
        note(f"stopped; its checkpoint is in {training.folder}, and the same command goes on with it")
        raise typer.Exit(STOPPED)
    models = {stage.name: str(training.model_of(stage.name)) for _, stage in chosen}
    last = models[chosen[-1].stage.name]
    if as_json:
        print_json({"folder": str(training.folder), "recipe": training.recipe.fingerprint, "models": models})
        return
    print_lines(
        f"{last}: trained",
        f"next: exo2ego report {training.folder}",
        f"      exo2ego export {last} --out {training.recipe.name}",
    )


def _tracker(training: Training, track: tuple[str, ...]) -> Tracker:
    from reference_exo2ego.commands.training_console import ConsoleLines
    from reference_exo2ego.training.tracking import LOG, JsonLines, Sink, TensorBoard, Tracker, WeightsAndBiases

    unknown = sorted(set(track) - {"tensorboard", "wandb"})
    if unknown:
        raise ValueError(f"--track {unknown[0]}: there are tensorboard and wandb; the console and {LOG} always are")
    if not training.processes.first:
        return Tracker()
    sinks: list[Sink] = [JsonLines(training.folder / LOG), ConsoleLines()]
    if "tensorboard" in track:
        sinks.append(TensorBoard(training.folder / "tensorboard"))
    if "wandb" in track:
        settings = training.recipe.model_dump(mode="json")
        sinks.append(WeightsAndBiases(training.folder, training.recipe.name, settings))
    return Tracker(sinks)


def _overfit(training: Training, stages: tuple[str, ...] | None, steps: int, *, as_json: bool) -> None:
    from reference_exo2ego.training.overfit import GOAL, overfit

    results = [overfit(begun, stage, steps) for begun, stage in training.of_stages(stages)]
    if not training.processes.first:
        return
    table = Table("stage", "steps", "words' loss", "kl", "ccl", "learnt by heart")
    for result in results:
        cells = [" to ".join(f"{value:.4f}" for value in result.losses[name]) for name in ("vtg", "kl", "ccl_ego")]
        table.add_row(result.stage, str(result.steps), *cells, "yes" if result.reached else "no")
    print_rows([result._asdict() for result in results], [table], "json" if as_json else "table")
    if not all(result.reached for result in results):
        note(f"a loss stays above {GOAL}: what is trained, the data or the rates are wrong, or --overfit-steps too few")
        raise typer.Exit(1)


def _known(number: float | None, form: str) -> str:
    return "not known" if number is None else f"{number:{form}}"


def _print_estimates(training: Training, stages: tuple[str, ...] | None, processes: int, *, as_json: bool) -> None:
    rows = training.estimates(processes, stages)
    if not training.processes.first:
        return
    if as_json:
        print_json({"recipe": training.recipe.model_dump(mode="json"), "stages": [row.to_json() for row in rows]})
        return
    plan = Table("stage", "trains", "parameters", "batch", "steps", "TFLOP a clip", "hours", title="what would train")
    for row in rows:
        batch = f"{row.batch} = {row.micro} x {row.accumulated} x {processes}"
        plan.add_row(
            row.stage,
            ", ".join(row.trained),
            f"{sum(row.trained.values()) / 1e6:,.1f} of {row.parameters / 1e6:,.1f} M",
            batch,
            _known(row.steps, ","),
            _known(row.tera, ",.3g"),
            _known(row.hours, ",.2f"),
        )
    memory = Table(
        "stage", "ZeRO-0", "ZeRO-1", "ZeRO-2", "ZeRO-3", title=f"GB of each of {processes} processes, at least"
    )
    for row in rows:
        memory.add_row(row.stage, *(f"{parts.total / 1e9:,.1f}" for parts in row.memory.values()))
    console().print(plan, memory)
    print_lines(
        "computed, not measured: operations and kept activations from the model without weights, hours at 40 % of the "
        "device's peak, memory without what the allocator wastes"
    )
