"""``exo2ego egoclip``: EgoClip's table to training samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.arguments import AsJson
from reference_exo2ego.commands.arguments import Out, SkipBad, print_written


def egoclip(
    table: Annotated[Path, typer.Argument(help="egoclip.csv, cells apart by tabs.")],
    out: Out,
    pattern: Annotated[
        str, typer.Option(help="Path of a video below the folder of videos, with {video_uid} in it.")
    ] = "{video_uid}.mp4",
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Make training samples of EgoClip, the egocentric pairs of the initialization.

    Example: exo2ego egoclip egoclip.csv --pattern "v1/full_scale/{video_uid}.mp4" --out egoclip.jsonl
    """
    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.data.egoclip import PAPER_CLIPS, read_egoclip
    from reference_exo2ego.data.samples import SampleWriter
    from reference_exo2ego.data.streaming import in_megabytes

    with ProgressObserver() as observer, SampleWriter(out) as writer:
        progress = in_megabytes(observer, table)
        files, samples = read_egoclip(table, pattern=pattern, skip_bad=skip_bad, progress=progress)
        for sample in samples:
            writer.write(sample)
    print_written(out, writer.count, files, paper=PAPER_CLIPS, as_json=as_json)
