"""``egobench miniego``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from egobench.commands.arguments import AsJson, Seed, split_names
from egobench.commands.console import console, print_json

if TYPE_CHECKING:
    from egobench.miniego import SizeName, Summary


def miniego(
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or new.")],
    size: Annotated[
        Literal["small", "full", "train"],
        typer.Option(help="At least 100 or 1,000 test questions per task; train has 100, and 1,000 takes to train on."),
    ] = "small",
    tasks: Annotated[str | None, typer.Option(help="Render the videos of these tasks alone, with commas.")] = None,
    timecode: Annotated[bool, typer.Option("--timecode", help="Show episode and frame number in a strip.")] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Generate MiniEgo: a small egocentric world with the official files of all eight tasks, and of data to train on.

    Example: egobench miniego --out miniego --size small
    """
    summary = make_world(out, size=size, timecode=timecode, seed=seed, tasks=split_names(tasks))
    if as_json:
        print_json(asdict(summary))
    else:
        made = f"{summary.episodes} episodes, {summary.videos} videos in {summary.seconds:.0f} s"
        console().print(f"{made}: {out}", soft_wrap=True)


def make_world(
    out: Path,
    *,
    size: SizeName = "small",
    timecode: bool = False,
    seed: int = 0,
    tasks: tuple[str, ...] | None = None,
) -> Summary:
    """Generate MiniEgo with progress on standard error.

    Args:
        out: An empty or new folder.
        size: Numbers of questions and episodes.
        timecode: Whether the videos show episode and frame number in a strip.
        seed: Seed of everything random.
        tasks: Tasks whose videos alone are rendered; ``None`` for all, and those to train on.

    Raises:
        ValueError: If MiniEgo has no such task.
        EgoBenchError: If the folder is not empty or cannot be written.
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.errors import EgoBenchError
    from egobench.miniego import generate

    if out.is_dir() and any(out.iterdir()):
        raise EgoBenchError(f"{out} is not empty; give a new folder")
    with ProgressObserver() as observer:
        steps = 0

        def progress(done: int, total: int) -> None:
            nonlocal steps
            if steps == 0:
                observer.begin("rendering", total, 0)
            observer.advance(done - steps)
            steps = done

        try:
            return generate(
                out, size, timecode=timecode, seed=seed, progress=progress, videos=True if tasks is None else tasks
            )
        except OSError as error:
            raise EgoBenchError(f"cannot write {out}: {error.strerror}") from error
