"""``egobench miniego`` and ``egobench demo``: a generated world, the built-in models on it, and one table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from egobench.annotations import Annotations
from egobench.commands.auditing import audited
from egobench.commands.progress import ProgressObserver
from egobench.commands.tables import comparison_rows, comparison_table, console
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.embedding import SentenceEmbedder
from egobench.errors import EgoBenchError
from egobench.evaluate import evaluate
from egobench.miniego import Summary, generate
from egobench.plugins import TASKS, load_model, load_task, names
from egobench.run.environment import environment

BUILT_IN: dict[str, dict[str, object]] = {"first-choice": {}, "random": {"frames": 16}, "text-prior": {}}
"""The demo's models. The random one is shown the frames of every clip, so that the whole path is walked."""


def make_world(
    out: Path, *, size: Literal["small", "full"], timecode: bool, seed: int, tasks: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Generate MiniEgo with progress on standard error.

    Args:
        out: An empty or new folder.
        size: At least 100 or 1,000 test questions a task.
        timecode: Whether the videos show episode and frame number in a strip.
        seed: Seed of everything random.
        tasks: Tasks whose videos alone are rendered; ``None`` for all, and those to train on.

    Returns:
        What was made, as a JSON object.

    Raises:
        ValueError: If MiniEgo has no such task.
        EgoBenchError: If the folder is not empty or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        raise EgoBenchError(f"{out} is not empty; give a new folder")
    shown = console(errors=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as bars:
        bar = bars.add_task("rendering", total=None)
        try:
            summary: Summary = generate(
                out,
                size,
                timecode=timecode,
                seed=seed,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
                videos=True if tasks is None else tasks,
            )
        except OSError as error:
            raise EgoBenchError(f"cannot write {out}: {error.strerror}") from error
    return asdict(summary)


def run_demo(out: Path, *, as_json: bool) -> None:
    """Generate MiniEgo, build the headline sample sets of all tasks, run the built-in models, print one table.

    Args:
        out: Folder of everything. What an earlier demo left there is used again.
        as_json: Print rows instead of a table.

    Raises:
        EgoBenchError: If something cannot be written or loaded.
    """
    said = console(errors=True)
    world, data, runs = out / "miniego", out / "data", out / "runs"
    if not (world / "log.jsonl").is_file():
        said.print(f"1/3 generating MiniEgo in {world}")
        make_world(world, size="small", timecode=False, seed=0)
    said.print(f"2/3 building sample sets in {data}")
    embedder = SentenceEmbedder()
    sets: list[SampleSet] = []
    for task in map(load_task, names(TASKS)):
        files = Annotations(world / "annotations" / task.name)
        built = build(task, files, embedder, construction=task.headline)
        if built.manifest.embedder is not None:
            built, _ = audited(built, embedder)
        built.write(data)
        sets.append(built)
    said.print(f"3/3 running {', '.join(BUILT_IN)} in {runs}")
    scores: dict[str, Any] = {}
    paths: dict[str, str] = {}
    for name, options in BUILT_IN.items():
        recorded = {"data": str(data.resolve()), **environment()}
        with ProgressObserver() as observer:
            model = load_model(name, **options)
            result = evaluate(model, sets, world / "videos", runs, observer=observer, recorded=recorded)
        scores[name], paths[name] = result.scores, str(result.path)
    if as_json:
        print(json.dumps({"rows": comparison_rows(scores), "runs": paths}, indent=1))  # noqa: T201
        return
    shown = console()
    shown.print(comparison_table(scores, "Eight tasks of MiniEgo, built-in models"))
    for name, path in paths.items():
        shown.print(f"{name}: {path}", soft_wrap=True)
    shown.print(f"videos and annotations: {world}; sample sets: {data}", soft_wrap=True)
