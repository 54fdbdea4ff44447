"""``egobench score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import note, print_json, print_rows


def score(
    run: Annotated[Path, typer.Argument(help="A run folder, or a .npy or .npz file of gallery scores.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of its sample sets, if they have moved; of a file, its set's own.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every metric and every tag, not the headline ones only.")
    ] = False,
    judge_url: Annotated[
        str | None,
        typer.Option(help="Have a judge grade open answers: an OpenAI-compatible server, as https://.../v1."),
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name there; the key is OPENAI_API_KEY.")] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Score files that were changed since the run was signed.")
    ] = False,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Compute a run's scores again from its predictions, or those of a table of gallery scores, and print them.

    Example: egobench score runs/random/0123456789ab

    Example: egobench score similarities.npy --data data/epic-kitchens-mir/gallery
    """
    from egobench.commands.tables import run_table, score_rows
    from egobench.evaluate import rescore, score_file

    if (judge_url is None) != (judge_model is None):
        raise typer.BadParameter("--judge-url and --judge-model go together")
    if judge_url and judge_model:
        ask_judge(run, data, judge_url, judge_model, accept_changes=accept_changes)
    if run.is_file():
        path, scores = run, score_file(run, data)
    else:
        result = rescore(run, data, accept_changes=accept_changes)
        path, scores = run / "scores.json", result.scores
        if not result.written:
            note(f"{run} cannot be written: these scores are printed alone")
    chosen = choose_format(form, as_json=as_json)
    if chosen == "json":
        print_json({protocol_id: entry.to_json() for protocol_id, entry in scores.items()})
    else:
        print_rows(score_rows(scores), [run_table(scores, str(path), everything=everything)], chosen)


def ask_judge(path: Path, data: Path | None, url: str, model: str, *, accept_changes: bool) -> None:
    """Have a judge grade the open answers of a run, with progress on standard error.

    Raises:
        ValueError: If the address cannot be used.
        EgoBenchError: If the run, its sample sets or the judge cannot be used.
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.llm_judge.client import find_judge
    from egobench.llm_judge.score import judge_run

    judge = find_judge(url, model)
    with ProgressObserver() as observer:
        judge_run(path, data, judge, observer, accept_changes=accept_changes)
