"""A command line as a program: errors and warnings in one line on standard error, and exit codes.

Exit codes: 0 done, 1 the work failed, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable

import typer

from egobench.errors import EgoBenchError, ModelOptionError, UnknownPluginError
from egobench.printable import printable


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
    except (EgoBenchError, ValueError) as error:
        if debug:
            raise
        typer.echo(printable(f"{name}: {error}"), err=True)
        wrong_use = isinstance(error, ValueError | UnknownPluginError | ModelOptionError)
        raise SystemExit(2 if wrong_use else 1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(message: Warning | str, *_: object, **__: object) -> str:
    return f"warning: {printable(str(message))}\n"
