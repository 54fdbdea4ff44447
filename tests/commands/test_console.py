"""Text from outside is printed as it is, and never acts on the terminal."""

from __future__ import annotations

import pytest
from rich.table import Table

from egobench.commands.console import SlashedText, console, print_rows
from egobench.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with Umlauts: äöü 回答", "plain, with Umlauts: äöü 回答"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("back\rward", "back\\x0dward"),
        ("left\u202eright", "left\\u202eright"),
        ("\x9b2J", "\\x9b2J"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_control_characters_are_visible(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["exp[v2]", "[/x]", "[bold]no[/bold]", ":smile:", "a\\[b]"])
def test_markup_is_text(text: str) -> None:
    table = Table("column", title=text, caption=text)
    table.add_row(text)
    terminal = console()
    with terminal.capture() as output:
        terminal.print(text)
        terminal.print(table)
    assert output.get().count(text) == 4


ROWS: list[dict[str, object]] = [{"a": 1, "b": {"c": [1, 2], "d": "x|y"}}, {"a": None, "b": {"c": [], "d": "z"}}]


def test_rows_are_printed_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", "d", title="title")
    table.add_row("1", "x|y")
    print_rows(ROWS, [table], "csv")
    assert capsys.readouterr().out == "a,b.c,b.d\n1,1; 2,x|y\n,,z\n"
    print_rows(ROWS, [table], "markdown")
    assert capsys.readouterr().out == "title\n\n| a | d |\n| --- | --- |\n| 1 | x\\|y |\n"
    print_rows(ROWS, [table], "json")
    assert capsys.readouterr().out.startswith('[\n {\n  "a": 1')


def test_an_id_breaks_after_slashes_alone() -> None:
    protocol_id = "egotaskqa/indirect/mcq/debiased/acc/likelihood-letter/first-frame"
    table = Table("id", "n", width=40)
    table.add_row(SlashedText(protocol_id), "1")
    terminal = console()
    with terminal.capture() as output:
        terminal.print(table)
    lines = [line.split("│")[1].strip() for line in output.get().splitlines() if line.startswith("│")]
    assert "".join(lines) == protocol_id
    assert all(line.endswith("/") for line in lines[:-1])
    assert len(lines) > 1
