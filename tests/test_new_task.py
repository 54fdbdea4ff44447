"""``egobench new task``: what it writes can be installed, passes its own tests, and gives a score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from egobench.commands.scaffold import new_plugin
from egobench.errors import EgoBenchError


@pytest.mark.slow
def test_a_new_task_is_installed_found_tested_and_scored(tmp_path: Path) -> None:
    files = new_plugin("task", "my-pantry", tmp_path)
    package = tmp_path / "egobench-my-pantry"
    assert package / "egobench_my_pantry.py" in files
    site = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
    ]
    subprocess.run([*pip, str(package)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def done(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    assert "2 passed" in done("pytest", "-q", str(package / "tests"))
    assert "my-pantry" in [row["name"] for row in json.loads(done("egobench", "tasks", "--json"))]
    options = ["a cup", "a knife", "a bowl", "a spoon"]
    rows = [
        {
            "id": f"q{n}",
            "video": "v",
            "start": n,
            "end": n + 1,
            "question": "?",
            "options": options,
            "answer": options[n % 4],
        }
        for n in range(8)
    ]
    (tmp_path / "questions.json").write_text(json.dumps(rows))
    done("egobench", "build", "my-pantry", "--annotations", ".", "--out", "data")
    run = json.loads(done("egobench", "run", "first-choice", "--data", "data", "--out", "runs", "--json"))
    # The first option is right in two rows of eight.
    assert run["scores"]["my-pantry/all/mcq/official/acc/generate"]["value"] == 0.25


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    new_plugin("task", "mine", tmp_path)
    with pytest.raises(EgoBenchError, match="exists already"):
        new_plugin("task", "mine", tmp_path)


@pytest.mark.parametrize("name", ["", "My Task", "1st", "a_b", "a/b", "../x"])
def test_names_that_no_package_can_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no name for a task"):
        new_plugin("task", name, tmp_path)
