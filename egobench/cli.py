"""The command line: commands parse and print, the library works; heavy modules are imported when they are used.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

from typing import Annotated

import typer

from egobench import __version__
from egobench.commands.audit import audit
from egobench.commands.build import build
from egobench.commands.compare import compare
from egobench.commands.demo import demo
from egobench.commands.doctor import doctor
from egobench.commands.frames import frames
from egobench.commands.leaderboard.build import build as leaderboard_build
from egobench.commands.leaderboard.check import check
from egobench.commands.leaderboard.export import export
from egobench.commands.leaderboard.pack import pack
from egobench.commands.lmms_path import lmms_path
from egobench.commands.miniego import miniego
from egobench.commands.models import models
from egobench.commands.new import new
from egobench.commands.program import FiniteCommand, run_program
from egobench.commands.run import run
from egobench.commands.runs import runs
from egobench.commands.score import score
from egobench.commands.tasks import tasks
from egobench.commands.verify import verify
from egobench.commands.view import view

app = typer.Typer(
    name="egobench",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Evaluate multimodal language models on eight egocentric-video tasks. Try: egobench demo --out demo",
)


def _print_version(show_version: bool) -> None:  # noqa: FBT001 - typer calls it so
    if show_version:
        typer.echo(f"egobench {__version__}")
        raise typer.Exit


@app.callback()
def egobench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works after a command too.")
    ] = False,
) -> None:
    """Evaluate multimodal language models on eight egocentric-video tasks."""


for command in (
    tasks,
    models,
    miniego,
    build,
    audit,
    doctor,
    frames,
    run,
    runs,
    score,
    verify,
    compare,
    view,
    demo,
    lmms_path,
    new,
):
    app.command(cls=FiniteCommand)(command)

leaderboard = typer.Typer(
    name="leaderboard", no_args_is_help=True, help="Submit runs to a leaderboard, check what others submit, build one."
)
for subcommand in (leaderboard_build, pack, check, export):
    leaderboard.command(cls=FiniteCommand)(subcommand)
app.add_typer(leaderboard)


def main() -> None:
    """Run the command line, see :func:`egobench.commands.program.run_program`."""
    run_program(app, "egobench")
