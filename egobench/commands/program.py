"""A command line as a program: errors and warnings in one line on standard error, and exit codes.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from egobench.errors import EgoBenchError, ModelOptionError, UnknownPluginError
from egobench.printable import printable


class FiniteCommand(TyperCommand):
    """A command whose numbers are finite: ``nan`` lies in every range that an option may have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments of the command.

        Raises:
            typer.BadParameter: If a number is infinite or none.
        """
        rest: list[str] = super().parse_args(ctx, args)
        parameters: list[Any] = [*self.get_params(ctx)]
        for parameter in parameters:
            value: Any = ctx.params.get(parameter.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise typer.BadParameter(f"{value} is not a finite number.", ctx=ctx, param=parameter)
        return rest


def run_program(app: Callable[[list[str]], object], name: str) -> None:
    """Run a command line with the arguments of this process; ``--debug`` anywhere shows tracebacks.

    Args:
        app: A Typer application.
        name: The program's name, before every error.

    Raises:
        SystemExit: With the exit code.
    """
    debug = "--debug" in sys.argv
    if not debug:
        warnings.formatwarning = _in_one_line
    try:
        app([argument for argument in sys.argv[1:] if argument != "--debug"])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (EgoBenchError, ValueError, OSError) as error:
        if debug:
            raise
        typer.echo(printable(f"{name}: {_message(error)}"), err=True)
        wrong_use = isinstance(error, ValueError | UnknownPluginError | ModelOptionError)
        raise SystemExit(2 if wrong_use else 1) from None


def _message(error: Exception) -> str:
    """What an error says, in one line; of the system's own, which file it is about."""
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, EgoBenchError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}; check the path, its permissions and the room on its disk"
    return re.sub(r"\s*\n\s*", " ", text.strip())


def _in_one_line(message: Warning | str, *_: object, **__: object) -> str:
    return f"warning: {printable(str(message))}\n"
