"""``egobench lmms-path``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from egobench.commands.arguments import AsJson, Construction, SystemPrompt, Tasks, split_names
from egobench.commands.console import print_json


def lmms_path(
    data: Annotated[Path, typer.Option(envvar="EGOBENCH_DATA", help="Folder of sample sets, from egobench build.")],
    videos: Annotated[
        Path, typer.Option(envvar="EGOBENCH_VIDEOS", help="Folder of videos, or of one such folder per task.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, clips too; DATA/lmms-eval if not given.")
    ] = None,
    tasks: Tasks = None,
    construction: Construction = None,
    prompt: SystemPrompt = "first_person",
    system: Annotated[
        Literal["turn", "model"],
        typer.Option(help="Whether the tasks hold the system prompt, or the model is told it itself."),
    ] = "turn",
    frames: Annotated[int | None, typer.Option(min=1, help="Frames per clip; the task's if not given.")] = None,
    short_side: Annotated[
        int | None, typer.Option(min=28, help="Pixels of a frame's shorter side; the task's if not given.")
    ] = None,
    true_rate: Annotated[
        bool, typer.Option("--true-rate", help="Clips as long as they are, not one frame a second.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the tasks as files for lmms-eval and print their folder, for --include_path.

    Example: lmms-eval --include_path "$(egobench lmms-path --data data --videos videos)" --tasks egobench_egoschema ...
    """
    from egobench.interop.clips import FPS
    from egobench.interop.lmms_write import TaskOptions, write_tasks

    fps = None if true_rate else FPS
    options = TaskOptions(videos, prompt, system, frames, short_side, fps, split_names(tasks), construction)
    written = write_tasks(data, out or data / "lmms-eval", options)
    if as_json:
        print_json({"folder": str(written.folder), "tasks": written.names})
        return
    typer.echo(f"{len(written.names)} tasks, and the group egobench of them: {', '.join(written.names)}", err=True)
    typer.echo(written.folder)
