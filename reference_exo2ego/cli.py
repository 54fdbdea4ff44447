"""The command line of the reference model. What is heavy is imported when a command runs.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

from typing import Annotated

import typer

from egobench.commands.program import FiniteCommand, run_program
from reference_exo2ego.commands.ablate import ablate
from reference_exo2ego.commands.clips import clips
from reference_exo2ego.commands.egoclip import egoclip
from reference_exo2ego.commands.export import export
from reference_exo2ego.commands.frames import frames
from reference_exo2ego.commands.instructions import instructions, write_instructions
from reference_exo2ego.commands.leaks import leaks
from reference_exo2ego.commands.pairs import pairs
from reference_exo2ego.commands.probe import probe
from reference_exo2ego.commands.report import report
from reference_exo2ego.commands.train import train

app = typer.Typer(
    name="exo2ego",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Training data and checkpoints of the reference model. Try: exo2ego clips --egoexo4d DIR --out clips.jsonl",
)


@app.callback()
def exo2ego(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors. Works after a command too.")
    ] = False,
    # DeepSpeed's launcher puts it before the command, and into the environment, where train reads it.
    local_rank: Annotated[int, typer.Option("--local_rank", "--local-rank", hidden=True)] = 0,
) -> None:
    """Exo2Ego, the reference model: its training data and checkpoints."""


for command in (
    clips,
    egoclip,
    pairs,
    instructions,
    write_instructions,
    leaks,
    frames,
    train,
    probe,
    ablate,
    report,
    export,
):
    app.command(cls=FiniteCommand)(command)


def main() -> None:
    """Run the command line, see :func:`egobench.commands.program.run_program`."""
    run_program(app, "exo2ego")
