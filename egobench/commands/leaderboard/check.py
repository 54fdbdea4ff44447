"""``egobench leaderboard check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from egobench.commands.arguments import AsJson, Form, choose_format
from egobench.commands.console import console, print_json, print_rows
from egobench.errors import BundleError

if TYPE_CHECKING:
    from egobench.leaderboard.submission import CheckRecord


def check(
    submission: Annotated[Path, typer.Argument(help="A bundle file, or a run folder.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of your own sample sets: replies are read and scored again over them.")
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of videos: a hundred clips are decoded again and compared.")
    ] = None,
    second: Annotated[
        Path | None, typer.Option(help="The same run, done again by you: its scores must lie within the intervals.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write what was found beside it, as NAME.check.json, for the leaderboard.")
    ] = False,
    form: Form = "table",
    as_json: AsJson = False,
) -> None:
    """Check a submission: does it agree with itself, and do its numbers come out of its replies?

    Exit code 0 if it passes every check, else 1. Without --data it is self-reported at most.

    Example: egobench leaderboard check random.zip --data data --videos videos
    """
    from egobench.commands.progress import ProgressObserver
    from egobench.leaderboard.checks import check_submission
    from egobench.leaderboard.submission import write_record

    with ProgressObserver() as observer:
        result = check_submission(submission, data, videos=videos, second=second, observer=observer)
    chosen = choose_format(form, as_json=as_json)
    if chosen == "json":
        print_json(result.to_json())
    else:
        print_rows([failed._asdict() for failed in result.failed], [checks_table(result, submission)], chosen)
    if record:
        console(errors=True).print(f"{write_record(submission, result)} is written", soft_wrap=True)
    if result.failed:
        names = ", ".join(failed.check for failed in result.failed)
        raise BundleError(f"{submission} does not pass: {names}")


def checks_table(result: CheckRecord, path: Path) -> Table:
    """What each check said, with the level that follows."""
    level = "refused" if result.level is None else result.level
    ranked = "may be ranked" if result.ranked else "is not ranked"
    again = f"; {result.clips} clips decoded again" if result.clips else ""
    table = Table(title=str(path), title_justify="left", caption_justify="left", caption=f"{level}, {ranked}{again}")
    table.add_column("check", no_wrap=True)
    table.add_column("result", overflow="fold")
    problems = dict(result.failed)
    for name in sorted({*result.passed, *problems}, key=[*result.passed, *problems].index):
        table.add_row(name, problems.get(name, "passed"))
    return table
