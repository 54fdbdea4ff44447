"""``egobench frames``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.filesize import decimal
from rich.table import Table

from egobench.commands.arguments import AsJson, Construction, Form, Tasks, choose_format, split_names
from egobench.commands.console import print_rows
from egobench.errors import EgoBenchError

if TYPE_CHECKING:
    from egobench.observer import Observer
    from egobench.video import ClipRequest, FrameStore
    from egobench.video.frame_store.filling import FillReport, StoreEstimate

GIGABYTE = 1_000_000_000


def frames(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of videos, or of one such folder per task.")],
    out: Annotated[Path, typer.Option(help="Folder of the frame store; filled further where it is there.")],
    tasks: Tasks = None,
    construction: Construction = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames per clip; the task's if not given.")] = None,
    fps: Annotated[
        float | None, typer.Option(min=0, help="Frames per second of a clip instead, at most --frames, or 64.")
    ] = None,
    short_side: Annotated[
        int | None, typer.Option(min=1, help="Pixels of a frame's shorter side; the task's if not given.")
    ] = None,
    decoder: Annotated[Literal["pyav", "torchcodec", "decord"], typer.Option(help="What decodes.")] = "pyav",
    workers: Annotated[int, typer.Option(min=1, help="Threads that decode, a file each.")] = 1,
    limit: Annotated[
        float | None, typer.Option(min=0, help="Gigabytes that may be added; all that the disk has if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count clips, frames and bytes; write nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Then read every clip and compare its pixels with their checksums.")
    ] = False,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Decode the frames of sample sets once, ahead of any model, and keep them without loss.

    Frames that are there are not decoded again, so that the same command goes on where it stopped; it may run several
    times at once. Exit code 0 if every clip is there, else 1.

    Example: egobench frames data --videos videos --out frames

    How much it would take:

    Example: egobench frames data --videos videos --out frames --dry-run
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.dataset.sampleset import SampleSet, find_sets
    from egobench.run.media import check_videos, clip_requests
    from egobench.video import FrameStore

    if dry_run and check:
        raise typer.BadParameter("--dry-run writes nothing to --check; leave one of them out")
    check_videos(videos)
    sets = [SampleSet.read(folder) for folder in find_sets(data, split_names(tasks), construction)]
    requests = [
        request
        for sample_set in sets
        for request in clip_requests(sample_set, videos, frames=frames, fps=fps, short_side=short_side)
    ]
    store = FrameStore(out, decoder=decoder)
    if dry_run:
        estimate = store.estimate(requests)
        result, failed = report_row(estimate), estimate.failed
    else:
        with ProgressObserver() as observer:
            most = None if limit is None else round(limit * GIGABYTE)
            report = store.fill(requests, workers=workers, limit=most, observer=observer)
            result, failed = report_row(report), tuple(report.failed)
            if check:
                failed_keys = {clip.key for clip in failed}
                readable = [request for request in requests if request.key not in failed_keys]
                result["checked"] = check_clips(store, readable, observer)
    result = {"folder": str(out), **result, "failed": {clip.key: str(clip.error) for clip in failed}}
    print_rows([result], [frames_table(result)], choose_format(form, as_json=as_json))
    if failed:
        raise EgoBenchError(
            f"{len(failed)} of {result['clips']} clips have no frames, the first of them {failed[0].key}: "
            f"{failed[0].error}; all of them: --json; egobench doctor says what is wrong with the videos"
        )


def report_row(outcome: StoreEstimate | FillReport) -> dict[str, Any]:
    """The numbers of an estimate or a report by name."""
    return {column.name: getattr(outcome, column.name) for column in fields(outcome) if column.name != "failed"}


def check_clips(store: FrameStore, requests: Sequence[ClipRequest], observer: Observer) -> int:
    """Read clips and compare their pixels with their checksums.

    Args:
        store: The store.
        requests: Clips that it has.
        observer: Receives progress by clip.

    Returns:
        The number of clips.

    Raises:
        FrameStoreError: If pixels have changed.
    """
    observer.begin("check", len(requests), 0)
    for request in requests:
        store.read(request, check=True)
        observer.advance(1)
    return len(requests)


def frames_table(result: dict[str, Any]) -> Table:
    """A table with one line: what was added to a frame store, or would be."""
    table = Table(caption=f"Frame store: {result['folder']}", caption_justify="left")
    cells = {
        key: decimal(value) if key.endswith("bytes") else f"{value:,}"
        for key, value in result.items()
        if isinstance(value, int)
    }
    cells["failed"] = f"{len(result['failed']):,}"
    for column in cells:
        table.add_column(column.replace("_", " "), justify="right")
    table.add_row(*cells.values())
    return table
