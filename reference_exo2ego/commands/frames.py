"""``exo2ego frames``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.arguments import AsJson
from egobench.commands.console import note, print_json
from egobench.errors import EgoBenchError
from reference_exo2ego.commands.arguments import print_lines


def frames(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a Python file that defines RECIPE.")],
    data: Annotated[Path, typer.Option(help="Folder that paths of the recipe are below.")],
    out: Annotated[Path, typer.Option(help="Folder of the frame store; what is there already is not decoded again.")],
    as_json: AsJson = False,
    override: Annotated[list[str] | None, typer.Option("--set", help="Another value: stage3.steps=100.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that decode.")] = 2,
    limit: Annotated[float | None, typer.Option(min=0, help="Most gigabytes to add; else what the disk has.")] = None,
) -> None:
    """Decode all frames that a recipe trains on into a frame store, once.

    Exit code 0 if every clip is there, else 1.

    Example: exo2ego frames tiny --data data --out frames
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.video import FrameStore
    from reference_exo2ego.training.recipe import load_recipe
    from reference_exo2ego.training.recipe import override as overridden
    from reference_exo2ego.training.sources import frame_requests

    store = FrameStore(out)
    requests = frame_requests(overridden(load_recipe(recipe), override or []), data)
    estimate = store.estimate(requests)
    note(f"{len(requests):,} clips, {estimate.bytes / 1e9:.1f} GB to add to {out}")
    with ProgressObserver() as observer:
        report = store.fill(
            requests,
            workers=workers,
            limit=None if limit is None else round(limit * 1e9),
            observer=observer,
        )
    if as_json:
        print_json({"clips": len(requests), "bytes": estimate.bytes, "failed": len(report.failed)})
    else:
        print_lines(f"{out}: {report.added:,} clips added, {report.stored:,} were there, of {len(requests):,}")
    if report.failed:
        first = report.failed[0]
        raise EgoBenchError(
            f"{len(report.failed):,} of {len(requests):,} clips have no frames, the first of them {first.key}: "
            f"{first.error}; mend the files and run the same command again"
        )
