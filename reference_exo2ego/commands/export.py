"""``exo2ego export``: a training checkpoint as a folder that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import console, print_rows


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Folder that training saved.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not be there yet.")],
    whole: Annotated[bool, typer.Option("--whole", help="Take demonstrator and G along, to train on.")] = False,
    keep_low_rank: Annotated[bool, typer.Option("--keep-low-rank", help="Leave LoRA beside the weights.")] = False,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help="Number format to write.")
    ] = "auto",
    card: Annotated[
        Path | None, typer.Option(help="JSON with what the model card says: name, recipe, weights, data, scores.")
    ] = None,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Write a checkpoint for egobench run exo2ego: LoRA merged, without the demonstrator, with a model card.

    Example: exo2ego export runs/exo2ego/stage3/model --out exo2ego-7b --dtype bfloat16 --card card.json
    """
    from reference_exo2ego.commands.libraries import prepare_libraries

    prepare_libraries()

    from reference_exo2ego.model.export import export as export_checkpoint
    from reference_exo2ego.model.export import read_card

    exported = export_checkpoint(
        checkpoint,
        out,
        whole=whole,
        merge=not keep_low_rank,
        dtype=dtype,
        card=read_card(card) if card else None,
    )
    saved = exported.saved
    sizes = {part: sum(file.stat().st_size for file in saved.files([part])) for part in saved.parts}
    table = Table("part", "MB")
    for part, size in sizes.items():
        merged = ", LoRA merged" if exported.merged and part == "language" else ""
        table.add_row(f"{part}{merged}", f"{size / 1e6:,.1f}")
    printed = choose_format(form, as_json=as_json)
    print_rows([{"part": part, "bytes": size} for part, size in sizes.items()], [table], printed)
    if printed == "table":
        console().print(
            f"next: egobench run exo2ego -o checkpoint={out} --data DATA --videos VIDEOS --out RUNS", soft_wrap=True
        )
