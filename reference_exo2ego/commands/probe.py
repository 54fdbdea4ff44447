"""``exo2ego probe``: what a supervised classifier reaches from the frames that a recipe trains on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.arguments import AsJson, split_names
from egobench.commands.console import console, print_json
from egobench.printable import printable
from reference_exo2ego.commands.arguments import print_lines


def probe(
    recipe: Annotated[str, typer.Argument(help="tiny, or a Python file with RECIPE whose rows are about MiniEgo.")],
    data: Annotated[Path, typer.Option(help="Folder of data that the recipe names.")],
    sets: Annotated[Path, typer.Option("--sample-sets", help="Sample sets that are asked, from egobench build.")],
    videos: Annotated[Path, typer.Option(help="Folder of their videos.")],
    out: Annotated[Path, typer.Option(help="Folder of runs.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training, about 220 frames each.")] = 1_000,
    frame_store: Annotated[Path | None, typer.Option(help="Read training clips from this store.")] = None,
    asked_store: Annotated[
        Path | None, typer.Option(help="Read clips that are asked about from this store, and add to it.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(help="Ask only these tasks, with commas.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Samples per subset.")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="A run of a model to show beside it; may come several times.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on the facts of MiniEgo's training world, and answer test questions by what it recognises.

    It gets the frames that the recipe's model gets, and reads questions by rules: what it misses, the frames or its
    small network miss, and not a language model. Its answers are an ordinary run: egobench compare and view read it.

    Example: exo2ego probe tiny --data data --frame-store frames --sample-sets sets --videos world/videos --out probe
    """
    from reference_exo2ego.commands.libraries import prepare_libraries

    prepare_libraries()

    from egobench.commands.progress import ProgressObserver
    from egobench.commands.tables import comparison_rows, comparison_table
    from egobench.dataset.sampleset import SampleSet, find_sets
    from egobench.run.media import check_videos
    from egobench.run.store import read_run
    from egobench.scoring.entry import Scores, by_id
    from egobench.scoring.overview import read_scores_file
    from reference_exo2ego.training.probe.asking import ProbeRequest, probe_recipe
    from reference_exo2ego.training.recipe import load_recipe

    check_videos(videos)  # Before it is trained.
    others: dict[str, Scores] = {}
    for run in beside or []:
        spec = read_run(run).spec
        label = str(spec.model["name"])
        others[f"{label} {spec.id}" if label in others else label] = by_id(read_scores_file(run).values())
    request = ProbeRequest(
        recipe=load_recipe(recipe),
        data=data,
        store=frame_store,
        sets=[SampleSet.read(folder) for folder in find_sets(sets, split_names(tasks))],
        videos=videos,
        asked_store=asked_store,
        out=out,
        steps=steps,
        limit=limit,
        recorded={"command": [printable(word) for word in sys.argv], "data": printable(str(sets.resolve()))},
    )
    with ProgressObserver() as observer:
        result = probe_recipe(request, observer)
    runs = {"probe": result.run.scores, **others}
    if as_json:
        print_json({"run": str(result.run.path), "unread": result.unread, "scores": comparison_rows(runs)})
        return
    console().print(comparison_table(runs, "what a supervised classifier reaches from the same frames"))
    print_lines(f"run folder: {result.run.path}", *(f"no rule reads: {question}" for question in result.unread))
