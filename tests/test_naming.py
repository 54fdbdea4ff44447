"""The count of names that say nothing, which the lint holds below a ceiling."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / ".ci" / "words.py"


def count(source: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "module.py").write_text(source)
    command = [sys.executable, str(SCRIPT), *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def names(source: str, folder: Path, *options: str) -> list[str]:
    """Line and name of each place in a module of one line or more."""
    lines = count(source, folder, "--ceiling", "1", *options).stdout.splitlines()[:-1]
    assert all(line.startswith(f"{folder / 'module.py'}:") for line in lines)
    return [line.removeprefix(f"{folder / 'module.py'}:") for line in lines]


def test_variables_loops_and_exceptions_are_counted(tmp_path: Path) -> None:
    source = "found = 1\nfor each in []:\n    pass\ntry:\n    pass\nexcept OSError as told:\n    pass\n"
    assert names(source, tmp_path) == ["1: found", "2: each", "6: told"]


def test_parameters_fields_and_attributes_are_counted(tmp_path: Path) -> None:
    source = "def f(wanted, *, given=0): ...\nclass A:\n    shown: int\n    def g(self):\n        self._held = 1\n"
    assert names(source, tmp_path) == ["1: wanted", "1: given", "3: shown", "5: held"]


def test_patterns_imports_and_context_managers_are_counted(tmp_path: Path) -> None:
    source = "import json as asked\nwith open('x') as said:\n    pass\nmatch 1:\n    case [1, *taken]:\n        pass\n"
    assert names(source, tmp_path) == ["1: asked", "2: said", "5: taken"]


def test_what_lives_for_one_expression_is_not_counted(tmp_path: Path) -> None:
    lines = [
        "a = [one for one in ()]",
        "b = {each: 0 for each in ()}",
        "c = any(told for told in ())",
        "d = lambda one: one",
    ]
    assert names("\n".join(lines), tmp_path) == []


def test_a_name_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert names("found_frames = one_hot = each_row = 1\n", tmp_path) == []


def test_participles_are_counted_where_asked_for(tmp_path: Path) -> None:
    assert names("judged = 1\n", tmp_path) == []
    assert names("judged = 1\n", tmp_path, "--also") == ["1: judged"]


def test_a_share_above_the_ceiling_fails(tmp_path: Path) -> None:
    source = "found = frames = 1\nsample = entry = 2\n"  # 1 of 4
    assert count(source, tmp_path, "--ceiling", "0.25").returncode == 0
    done = count(source, tmp_path, "--ceiling", "0.24")
    assert done.returncode == 1
    assert "1 of 4 bound names say nothing: 25.00%" in done.stdout
    assert "more than 24.00%: name each by what it is" in done.stdout
