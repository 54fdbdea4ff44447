"""``egobench run``: its options, and what they ask for. Light: the work is done in :mod:`egobench.commands.running`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from egobench.commands.arguments import Construction, Json, Seed, SystemPrompt, Tasks, split
from egobench.errors import EgoBenchError


def run(
    model: Annotated[str, typer.Argument(help="A model's name, see egobench models.")],
    data: Annotated[Path, typer.Option(help="Folder of sample sets, from egobench build.")],
    out: Annotated[Path, typer.Option(help="Folder of runs.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder a task.")] = Path(),
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="A model option: key=value.")] = None,
    tasks: Tasks = None,
    construction: Construction = None,
    method: Annotated[
        Literal["auto", "generate", "likelihood-letter", "likelihood-sum", "likelihood-mean"],
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

    By log-probabilities of the letters where the model has them:

    Example: egobench run hf ... --method auto

    By those of the options' texts, less what each has without the video:

    Example: egobench run hf ... --method likelihood-sum --text-prior 1

    A dual encoder also scores galleries, and another model the best texts that one has found:

    Example: egobench run hf ... --method auto --rerank runs/clip-vit-large-patch14/0123456789ab
    """
    from egobench.commands.running import print_forecast, print_run
    from egobench.evaluate import RunRequest
    from egobench.run.spec import Settings

    options = _options([*(option or []), *_given("device", device), *_given("dtype", dtype)])
    settings = Settings(
        method="generate" if method == "auto" else method,
        control=control,
        prompt=prompt,
        frames=frames,
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        workers=workers,
        orders=orders,
        text_prior=text_prior,
    )
    request = RunRequest(
        model=model,
        options=options,
        data=data,
        tasks=split(tasks),
        construction=construction,
        videos=videos,
        out=out,
        settings=settings,
        rerank=rerank,
        top=top,
        choose_method=method == "auto",
    )
    if dry_run:
        print_forecast(request, as_json=as_json)
    elif print_run(request, as_json=as_json) < min_coverage:
        raise EgoBenchError(
            f"fewer than {min_coverage:.0%} of the samples got a reply; the warnings above say why; "
            "mend it and run the same command again, or lower --min-coverage"
        )


def _given(key: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{key}={value}"]


def _options(pairs: list[str]) -> dict[str, str]:
    parts = [pair.partition("=") for pair in pairs]
    wrong = [pair for pair, (key, equals, _) in zip(pairs, parts, strict=True) if not key or not equals]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not key=value")
    return {key: value for key, _, value in parts}
