"""``egobench build``: official files to sample sets on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from egobench.annotations import Annotations
from egobench.commands.tables import console, percent
from egobench.dataset.audit import audit_set
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.embedding import SentenceEmbedder
from egobench.errors import ModelError
from egobench.plugins import TASKS, load_task, names


def build_tasks(
    wanted: Sequence[str],
    annotations: Path,
    out: Path,
    construction: str | None,
    embedder: str,
    *,
    skip_bad: bool,
    seed: int,
) -> list[dict[str, Any]]:
    """Build, audit and write the sample sets of some tasks.

    Args:
        wanted: Names of tasks, or ``["all"]``.
        annotations: Folder of official files, or of one folder a task.
        out: Folder of sample sets.
        construction: How options are made; ``None`` for each task's default.
        embedder: Name of a sentence-transformers model.
        skip_bad: Leave malformed rows out.
        seed: Seed of distractors and option orders.

    Returns:
        The manifests, as JSON objects.

    Raises:
        EgoBenchError: If a task is unknown, or a file or row is malformed. Tasks before it have been written.
        ValueError: If a task has no such construction.
    """
    loaded = [load_task(name) for name in (names(TASKS) if list(wanted) == ["all"] else wanted)]
    texts = SentenceEmbedder(embedder)
    rows: list[dict[str, Any]] = []
    for task in loaded:
        own = annotations / task.name
        console(errors=True).print(f"building {task.name} ...")
        files = Annotations(own if own.is_dir() else annotations, skip_bad=skip_bad)
        built = build(task, files, texts, construction=construction, seed=seed)
        built = _audited(built, texts)
        built.write(out)
        rows.append(asdict(built.manifest))
    return rows


def _audited(sample_set: SampleSet, embedder: SentenceEmbedder) -> SampleSet:
    """The set with its blind figures; without the extra that they need, as it is where it was built without it too."""
    console(errors=True).print(f"auditing {sample_set.name} ...")
    try:
        return audit_set(sample_set, embedder).sample_set
    except ModelError as error:
        if sample_set.manifest.embedder is not None:
            raise
        console(errors=True).print(f"{sample_set.name} is not audited: {error}; egobench audit does it later")
        return sample_set


def manifests_table(rows: Sequence[dict[str, Any]], out: Path) -> Table:
    """What was built, a line a task."""
    table = Table(caption=f"Written to {out}/<task>/<construction>/; dropped rows are in each manifest.json")
    for column in ("task", "construction"):
        table.add_column(column)
    for column in ("samples", "videos", "captions", "texts", "mean seconds", "dropped", "blind ceiling"):
        table.add_column(column, justify="right")
    for row in rows:
        seconds = "-" if row["mean_seconds"] is None else f"{row['mean_seconds']:.3f}"
        counts = [
            row["n"],
            row["videos"],
            row["captions"],
            row["texts"],
            seconds,
            len(row["dropped"]),
            percent(row["blind_ceiling"]),
        ]
        table.add_row(row["task"], row["construction"], *map(str, counts))
    return table
