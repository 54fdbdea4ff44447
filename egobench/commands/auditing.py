"""``egobench audit``: what a sample set gives away to someone who sees neither video nor question."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from egobench.commands.console import note
from egobench.commands.tables import percent
from egobench.dataset.audit import Audit, audit
from egobench.dataset.sampleset import SampleSet, find_sets, write_manifest
from egobench.embedding import SentenceEmbedder
from egobench.errors import SampleSetError, UnknownPluginError
from egobench.plugins import load_task
from egobench.sample import Sample
from egobench.task import Embedder, Truth


def audit_sets(data: Path, embedder: str) -> list[dict[str, Any]]:
    """Audit sample sets, and note co-correct rate and blind ceiling in their manifests.

    A set of several subsets gets the ceiling of the one that gives most away, and the co-correct rate of all.

    Args:
        data: Folder of sample sets, one of them, or a JSON Lines file of somebody else's samples.
        embedder: Name of a sentence-transformers model.

    Returns:
        One JSON object a subset; sets without options are passed over.

    Raises:
        SampleSetError: If there is no set, none that has options, or a manifest cannot be written.
        ModelError: If the extra ``[distractors]`` is not installed.
    """
    texts = SentenceEmbedder(embedder)
    rows: list[dict[str, Any]] = []
    folders = [] if data.is_file() else find_sets(data)
    for folder in folders:
        found, audits = audited(SampleSet.read(folder), texts)
        write_manifest(folder, found.manifest)
        rows += [_row(found.name, one.blind_ceiling, asdict(one)) for one in audits]
    if data.is_file():
        foreign = audit(list(_foreign(data)), Truth(), texts)
        rows += [_row(data.name, one.blind_ceiling, asdict(one)) for one in foreign]
    if not rows:
        raise SampleSetError(f"{data}: no sample has options and a public answer, so there is nothing to audit")
    return rows


def audited(sample_set: SampleSet, embedder: Embedder) -> tuple[SampleSet, list[Audit]]:
    """A sample set with co-correct rate and blind ceiling in its manifest, and the audits they come from.

    Raises:
        ModelError: If the extra ``[distractors]`` is not installed.
    """
    manifest = sample_set.manifest
    note(f"auditing {sample_set.name} ...")
    audits = list(audit(sample_set.samples, _truth(manifest.task), embedder))
    if audits:
        share = sum(one.co_correct * one.n for one in audits) / sum(one.n for one in audits)
        ceiling = max(one.blind_ceiling for one in audits)
        manifest = replace(manifest, co_correct=share, blind_ceiling=ceiling)
    return replace(sample_set, manifest=manifest), audits


def audit_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What was found, a column a subset."""
    table = Table(
        caption="Shares x 100. An attack sees neither video nor question, the best of them gives the ceiling."
    )
    table.add_column("")
    for row in rows:
        name = row["sample_set"] if row["subset"] == "all" else f"{row['sample_set']} {row['subset']}"
        table.add_column(name.replace("/", "/ "), justify="right", overflow="fold")
    for name in ("n", "option_sets"):
        table.add_row(name.replace("_", " "), *(str(row[name]) for row in rows))
    table.add_row("chance", *(percent(row["chance"]) for row in rows), end_section=True)
    for name in rows[0]["attacks"]:
        table.add_row(name, *(percent(row["attacks"][name]) for row in rows))
    table.add_section()
    for name in ("blind_ceiling", "co_correct", "repeated_options"):
        table.add_row(name.replace("_", " "), *(percent(row[name]) for row in rows))
    places = ("/".join(f"{100 * share:.0f}" for share in row["positions"]) for row in rows)
    table.add_row("right at place 1/2/...", *places)
    table.add_row("mean cosine", *(f"{row['similarity']:.3f}" for row in rows))
    return table


def _row(name: str, ceiling: float, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"sample_set": name, **found, "blind_ceiling": ceiling}


def _truth(task: str) -> Truth:
    try:
        return load_task(task).true_of
    except UnknownPluginError:
        return Truth()


def _foreign(path: Path) -> Iterator[Sample]:
    """Samples from lines that hold ``options`` and ``target`` at least; ``cluster`` or ``video`` keep folds apart."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            options, target = tuple(row["options"]), row["target"]
            answer = "" if target is None else options[target]
            cluster = str(row.get("cluster", row.get("video", number)))
            fields: dict[str, Any] = {"id": str(number), "task": "", "subset": "all", "video": "", "question": ""}
            fields |= {"start": 0.0, "end": None, "relevance": None, "tags": {}}
            yield Sample(**fields, options=options, target=target, answer=answer, cluster=cluster)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise SampleSetError(
                f"{path}, line {number}: {error!r}; expected a JSON object with the texts 'options' and 'target', the "
                "position of the right one"
            ) from error
