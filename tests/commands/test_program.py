"""A command line as a program: what no command has caught is one line too; numbers are finite, lists not empty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from egobench.commands.arguments import split_names
from egobench.commands.program import FiniteCommand, run_program

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a program; gives its exit code and its errors."""

    def program(app: Callable[[list[str]], object], *words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tool", *words])
        code = 0
        try:
            run_program(app, "tool")
        except SystemExit as end:
            code = int(end.code or 0)
        return code, capsys.readouterr().err

    return program


def test_what_the_system_refuses_is_one_line_with_the_file(run: Run, tmp_path: Path) -> None:
    code, message = run(lambda _: (tmp_path / "none" / "file").read_text())
    expected = f"tool: {tmp_path / 'none' / 'file'}: No such file or directory; check the path, its permissions and"
    assert (code, message.startswith(expected), message.count("\n")) == (1, True, 1)


def test_an_error_of_several_lines_is_one_line(run: Run) -> None:
    def refuse(_: list[str]) -> None:
        raise ValueError("1 error\n  field\n    is missing")

    assert run(refuse) == (2, "tool: 1 error field is missing\n")


def test_an_error_without_a_file_says_what_it_says(run: Run) -> None:
    def refuse(_: list[str]) -> None:
        raise ConnectionRefusedError("nobody listens")

    assert run(refuse) == (1, "tool: nobody listens\n")


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
