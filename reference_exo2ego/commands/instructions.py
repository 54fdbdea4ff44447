"""``exo2ego instructions`` and ``exo2ego write-instructions``: EgoIT, and new wordings of its instructions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from egobench.commands.arguments import AsJson, Form, Seed, choose_format, split_names
from egobench.commands.console import print_json, print_rows
from reference_exo2ego.commands.arguments import EXAMPLES, Out, SkipBad, print_lines

if TYPE_CHECKING:
    from rich.table import Table

    from reference_exo2ego.data.egoit.build import SourceCount


def instructions(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of official files, one folder a source: egtea, something-something-v2, egotimeqa, open-eqa, "
            "egoexolearn. Videos are named below it too."
        ),
    ],
    out: Out,
    sources: Annotated[str | None, typer.Option(help="Only these, with commas; else those that are there.")] = None,
    splits: Annotated[str, typer.Option(help="Splits, with commas; each source gives those that it has.")] = "train",
    egotimeqa: Annotated[
        Literal["mixed", "open", "closed", "both"], typer.Option(help="How EgoTimeQA's questions are put.")
    ] = "mixed",
    egtea_raw: Annotated[
        bool, typer.Option("--egtea-raw", help="EGTEA from its raw annotations, which know no splits.")
    ] = False,
    view: Annotated[
        Literal["ego", "exo"], typer.Option(help="Films of the wearers, or what a source has of fixed cameras.")
    ] = "ego",
    wording: Annotated[Path | None, typer.Option(help="JSON file of instructions by source; else the shipped.")] = None,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Make EgoIT: questions, answers and instructions from five data sets.

    Example: exo2ego instructions egoit --out egoit.json

    Example: exo2ego instructions egoit --sources open-eqa,egotimeqa --egotimeqa both --out egoit.jsonl

    Example: exo2ego instructions egoit --view exo --out egoit.exo.jsonl
    """
    from dataclasses import asdict

    from egobench.commands.progress import ProgressObserver
    from reference_exo2ego.data.egoit.build import OUTSIDE, PAPER, InstructionRule, build_instructions
    from reference_exo2ego.data.egoit.wording import read_instructions

    there = OUTSIDE if view == "exo" else tuple(PAPER)
    names = split_names(sources) or tuple(name for name in there if (folder / name).is_dir())
    if not names:
        raise typer.BadParameter(f"{folder} has none of the folders {', '.join(there)}")
    rule = InstructionRule(
        splits=split_names(splits) or ("train",),
        form=egotimeqa,
        egtea_raw=egtea_raw,
        seed=seed,
        skip_bad=skip_bad,
        view=view,
    )
    folders = {name: folder / name for name in names}
    with ProgressObserver() as observer:
        counts = build_instructions(folders, out, read_instructions(wording), rule, observer=observer)
    output = choose_format(form, as_json=as_json)
    print_rows([asdict(count) for count in counts], [_counts_table(counts, out)], output)
    if output == "table":
        for count in counts:
            print_lines(
                *(f"left out: {count.source}: {row['id']}: {row['reason']}" for row in count.left_out[:EXAMPLES])
            )


def _counts_table(counts: Sequence[SourceCount], out: Path) -> Table:
    from rich.table import Table

    caption = "paper: Table 1, rounded there. What was left out is listed by --json."
    table = Table(title=str(out), title_justify="left", caption=caption, caption_justify="left")
    table.add_column("source")
    for column in ("samples", "paper", "videos", "left out"):
        table.add_column(column, justify="right")
    for count in counts:
        numbers = (count.samples, count.paper, count.videos, len(count.left_out))
        table.add_row(count.source, *(f"{number:,}" for number in numbers))
    table.add_section()
    totals = (sum(count.samples for count in counts), sum(count.paper for count in counts))
    table.add_row("all", *(f"{number:,}" for number in totals), "", "")
    return table


def write_instructions(
    source: Annotated[str, typer.Argument(help="The list to write anew, e.g. egtea or egotimeqa-closed.")],
    url: Annotated[str, typer.Option(help="An OpenAI-compatible server, as https://.../v1; key: OPENAI_API_KEY.")],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    out: Annotated[Path, typer.Option(help="JSON file of instructions; other lists in it stay, or are the shipped.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Have a language model write new instructions for a source of EgoIT.

    Example: exo2ego write-instructions egtea --url http://127.0.0.1:8000/v1 --model qwen --out wording.json
    """
    from egobench.errors import TrainingDataError
    from egobench.whole_file import replace_file
    from reference_exo2ego.data.egoit import writing
    from reference_exo2ego.data.egoit.wording import read_instructions, shipped_instructions

    lists = read_instructions(out if out.exists() else None)
    example = shipped_instructions().get(source, [""])[0]
    texts = writing.write_instructions(url, model, source, count=count, example=example)
    try:
        replace_file(out, json.dumps({**lists, source: texts}, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise TrainingDataError(f"{out}: cannot be written ({error.strerror})") from error
    if as_json:
        print_json(texts)
    else:
        print_lines(*texts)
