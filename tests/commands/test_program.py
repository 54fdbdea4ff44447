"""A command line as a program: what no command has caught is one line too; numbers are finite, lists not empty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from egobench.cli import app as egobench
from egobench.commands.arguments import split_names
from egobench.commands.program import FiniteCommand, run_program

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a program; gives its exit code and its errors."""

    def program(app: Callable[..., object], *words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tool", *words])
        code = 0
        try:
            run_program(app, "tool")
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().err

    return program


def test_what_the_system_refuses_is_one_line_with_the_file(run: Run, tmp_path: Path) -> None:
    code, message = run(lambda *_, **__: (tmp_path / "none" / "file").read_text())
    expected = f"tool: {tmp_path / 'none' / 'file'}: No such file or directory; check the path, its permissions and"
    assert (code, message.startswith(expected), message.count("\n")) == (1, True, 1)


def test_an_error_of_several_lines_is_one_line(run: Run) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("1 error\n  field\n    is missing")

    assert run(refuse) == (2, "tool: 1 error field is missing\n")


def test_an_error_without_a_file_says_what_it_says(run: Run) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("nobody listens")

    assert run(refuse) == (1, "tool: nobody listens\n")


@pytest.fixture
def tools() -> typer.Typer:
    """A program of two commands."""
    app = typer.Typer(add_completion=False, no_args_is_help=True)

    @app.command(cls=FiniteCommand)
    def take(name: str, *, share: int = 1) -> None:
        """Take something away."""
        raise typer.Exit(7 if name == "all" else share - 1)

    @app.command(cls=FiniteCommand)
    def put() -> None:
        raise typer.Abort

    return app


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("take", "a", "--shares", "2"), "tool take: No such option"),
        (("take", "a", "--share"), "tool take: Option '--share' requires an argument. See tool take --help"),
        (("take", "a", "--share", "two"), "tool take: Invalid value for '--share': "),
        (("take",), "tool take: Missing argument "),
        (("take", "a", "b"), "tool take: Got unexpected extra argument"),
        (("tak",), "tool: No such command 'tak'."),
    ],
)
def test_wrong_use_is_one_line_that_says_where_help_is(
    run: Run, tools: typer.Typer, words: tuple[str, ...], expected: str
) -> None:
    code, message = run(tools, *words)
    assert (code, message.count("\n"), message.startswith(expected)) == (2, 1, True), message
    assert message.rstrip().endswith(" --help")


def test_without_arguments_there_is_help(
    tools: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tool"])
    with suppress(SystemExit):  # click ended this with 0 before 8.2, and with 2 since
        run_program(tools, "tool")
    assert "Take something away." in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", ["run", "build", "doctor", "view", "compare"])
def test_every_command_says_which_option_it_does_not_know(run: Run, command: str) -> None:
    code, message = run(egobench, command, "--no-such-option")
    assert (code, message.count("\n"), "no-such-option" in message) == (2, 1, True)


def test_the_exit_code_of_a_command_is_that_of_the_program(run: Run, tools: typer.Typer) -> None:
    assert [run(tools, "take", "all")[0], run(tools, "take", "a")[0], run(tools, "put")[0]] == [7, 0, 1]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_are_none_are_refused_by_the_options_name(run: Run, number: str) -> None:
    app = typer.Typer(add_completion=False)
    kept: list[float] = []

    @app.command(cls=FiniteCommand)
    def take(share: float = 0.5) -> None:
        kept.append(share)

    code, message = run(app, "--share", number)
    assert (code, "--share" in message, "is not a finite number" in message, kept) == (2, True, True, [])
    assert run(app, "--share", "1e300")[0] == 0
    assert kept == [1e300]


def test_a_list_names_each_name_once() -> None:
    assert split_names("a, b,a,") == ("a", "b")
    assert split_names(None) is None


@pytest.mark.parametrize("names", ["", " ", ",", " , "])
def test_a_list_of_nothing_is_not_everything(names: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        split_names(names)
