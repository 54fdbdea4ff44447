"""``exo2ego pairs``: captioned videos and pictures to training samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from egobench.commands.arguments import AsJson
from reference_exo2ego.commands.arguments import Out, SkipBad, print_written


def pairs(
    files: Annotated[list[Path], typer.Argument(help="Files .csv, .tsv, .jsonl, or webdataset tars.")],
    out: Out,
    media: Annotated[
        Path | None,
        typer.Option(help="Folder of videos and pictures; those of a table must be there, those of a tar go there."),
    ] = None,
    media_column: Annotated[str, typer.Option(help="Column or JSON field of the path.")] = "path",
    caption_column: Annotated[str, typer.Option(help="Column or JSON field of the caption.")] = "caption",
    source: Annotated[str, typer.Option(help="Name of the data set.")] = "pairs",
    view: Annotated[Literal["exo", "ego"], typer.Option(help="Whose encoder learns from them.")] = "exo",
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Make training samples of captioned videos and pictures, the exocentric pairs of the initialization.

    Example: exo2ego pairs openvid.csv --media-column video --media videos --out pairs.jsonl

    Example: exo2ego pairs shard-000.tar shard-001.tar --media media --out pairs.jsonl
    """
    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.data.captioned_pairs import PairColumns, PairFile
    from reference_exo2ego.data.samples import SampleWriter
    from reference_exo2ego.data.streaming import in_megabytes

    columns = PairColumns(media=media_column, caption=caption_column, source=source, view=view)
    read: list[PairFile] = []
    with ProgressObserver() as observer, SampleWriter(out) as writer:
        for path in files:
            progress = in_megabytes(observer, path)
            read.append(PairFile(path, media, columns, skip_bad=skip_bad, progress=progress))
            for sample in read[-1].samples():
                writer.write(sample)
    print_written(out, writer.count, *(file.annotations for file in read), as_json=as_json)
