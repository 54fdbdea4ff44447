"""``exo2ego leaks``: what training data shares with the sample sets that models are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egobench.commands.arguments import AsJson, Construction, Form, Tasks, choose_format, split_names
from egobench.commands.console import print_rows

if TYPE_CHECKING:
    from rich.table import Table

    from reference_exo2ego.data.leaks import Leak, TrainedFootage

EXAMPLES = 3
"""Examples in the table; JSON has the first twenty."""


def leaks(
    training: Annotated[list[Path], typer.Argument(help="Files of training samples, .jsonl or .json.")],
    data: Annotated[Path, typer.Option(help="Folder of sample sets, from egobench build.")],
    tasks: Tasks = None,
    construction: Construction = None,
    origins: Annotated[
        list[Path] | None,
        typer.Option(help="Where clips were cut out of videos: CSV of clip, video, start; or EgoSchema's JSON."),
    ] = None,
    allow: Annotated[str | None, typer.Option(help="Sample sets or tasks that may share footage, with commas.")] = None,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Compare training data with sample sets, by video and by overlap in time. Exit code 1 if footage is shared.

    Example: exo2ego leaks egoclip.jsonl egoit.json --data data

    Example: exo2ego leaks egoit.json --data data --allow qaego4d
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.dataset.sampleset import SampleSet, find_sets
    from reference_exo2ego.data.leaks import TrainedFootage, find_leaks, read_origins, require_no_leak
    from reference_exo2ego.data.samples import read_samples
    from reference_exo2ego.data.streaming import in_megabytes

    allowed = split_names(allow) or ()
    sets = [SampleSet.read(folder) for folder in find_sets(data, split_names(tasks), construction)]
    footage = TrainedFootage({clip: origin for path in origins or () for clip, origin in read_origins(path).items()})
    with ProgressObserver() as observer:
        for path in training:
            for sample in read_samples(path, progress=in_megabytes(observer, path)):
                footage.add(sample)
    leaks_per_set = find_leaks(footage, [(sample_set.name, sample_set.samples) for sample_set in sets])
    rows = [leak.to_json() for leak in leaks_per_set]
    print_rows(rows, [_table(leaks_per_set, footage)], choose_format(form, as_json=as_json))
    require_no_leak(leaks_per_set, allowed)


def _table(leaks_per_set: Sequence[Leak], footage: TrainedFootage) -> Table:
    from rich.table import Table

    table = Table(
        caption=f"{footage.samples:,} training samples, {footage.text_only:,} of them text alone. Samples of each set "
        "that overlap footage that is trained on; that are of a video that is, cut out nobody knows where; that are of "
        "one, elsewhere in it.",
        caption_justify="left",
    )
    table.add_column("sample set", overflow="fold")
    for column in ("samples", "overlapping", "undecided", "same video", "videos"):
        table.add_column(column, justify="right")
    table.add_column("for example", overflow="fold")
    for leak in leaks_per_set:
        numbers = (leak.samples, leak.overlapping, leak.undecided, leak.same_video, leak.videos)
        table.add_row(leak.sample_set, *(f"{number:,}" for number in numbers), "\n".join(leak.examples[:EXAMPLES]))
    return table
