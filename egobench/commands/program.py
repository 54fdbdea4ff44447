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
from typing import Any, Final

import typer
from typer.core import TyperCommand

from egobench.errors import EgoBenchError, ModelOptionError, UnknownPluginError
from egobench.printable import printable

UsageError: Final[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
"""What typer raises about wrong use: click's in its older releases, its own in newer ones."""


class FiniteCommand(TyperCommand):
    """A command whose numbers are finite: ``nan`` lies in every range that an option may have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments of the command.

        Raises:
            typer.BadParameter: If a number is infinite or none.
        """
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        parameters: list[Any] = [*self.get_params(ctx)]
        for parameter in parameters:
            value: Any = ctx.params.get(parameter.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise typer.BadParameter(f"{value} is not a finite number.", ctx=ctx, param=parameter)
        return rest


def run_program(app: Callable[..., object], name: str) -> None:
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
        code = app([argument for argument in sys.argv[1:] if argument != "--debug"], standalone_mode=False)
        raise SystemExit(code if isinstance(code, int) else 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except typer.Abort:
        raise SystemExit(1) from None
    except UsageError as error:
        _explain_use(error, name)
        raise SystemExit(2) from None
    except (EgoBenchError, ValueError, OSError) as error:
        if debug:
            raise
        typer.echo(printable(f"{name}: {_message(error)}"), err=True)
        wrong_use = isinstance(error, ValueError | UnknownPluginError | ModelOptionError)
        raise SystemExit(2 if wrong_use else 1) from None


def _explain_use(error: Any, name: str) -> None:
    """Say what is wrong with the arguments, in one line; without any the help is all there is to say."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help(), err=True)
        return
    command = name if error.ctx is None else error.ctx.command_path
    text = re.sub(r"\s*\n\s*", " ", error.format_message().replace("Value error, ", "").strip())
    end = "" if text.endswith((".", "?")) else "."
    typer.echo(printable(f"{command}: {text}{end} See {command} --help"), err=True)


def _message(error: Exception) -> str:
    """What an error says, in one line; of the system's own, which file it is about."""
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, EgoBenchError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}; check the path, its permissions and the room on its disk"
    return re.sub(r"\s*\n\s*", " ", text.strip())


def _in_one_line(message: Warning | str, *_: object, **__: object) -> str:
    return f"warning: {printable(str(message))}\n"
