"""``egobench new``: what it writes can be installed, passes its own tests, and gives a score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from egobench.commands.new import new_plugin
from egobench.errors import EgoBenchError
from tests.conftest import Navigation


@dataclass(frozen=True)
class Installed:
    """A new package, installed beside EgoBench.

    Attributes:
        root: Where commands run.
        package: Its folder.
    """

    root: Path
    package: Path

    def done(self, *arguments: str) -> str:
        """What a Python module that can import the package prints."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "site")}
        command = [sys.executable, "-m", *arguments]
        found = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, cwd=self.root)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout


def installed(kind: str, name: str, root: Path) -> Installed:
    files = new_plugin(kind, name, root)
    package = root / f"egobench-{name}"
    assert package / f"egobench_{name.replace('-', '_')}.py" in files
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(root / "site"), str(package)], check=True, capture_output=True)
    return Installed(root, package)


@pytest.mark.slow
def test_a_new_task_is_installed_found_tested_and_scored(tmp_path: Path) -> None:
    new = installed("task", "my-pantry", tmp_path)
    assert "2 passed" in new.done("pytest", "-q", str(new.package / "tests"))
    assert "my-pantry" in [row["name"] for row in json.loads(new.done("egobench", "tasks", "--json"))]
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
    new.done("egobench", "build", "my-pantry", "--annotations", ".", "--out", "data")
    run = json.loads(new.done("egobench", "run", "first-choice", "--data", "data", "--out", "runs", "--json"))
    # The first option is right in two rows of eight.
    assert run["scores"]["my-pantry/all/mcq/official/acc/generate"]["value"] == 0.25


@pytest.mark.slow
def test_a_new_model_is_installed_found_tested_and_run(navigation: Navigation) -> None:
    new = installed("model", "my-eyes", navigation.root)
    assert "7 passed" in new.done("pytest", "-q", str(new.package / "tests"))
    listed = {row["name"]: row["options"] for row in json.loads(new.done("egobench", "models", "--json"))}
    assert list(listed["my-eyes"]) == ["colour", "frames"]
    asked = ["--data", "data", "--videos", "videos", "--out", "runs", "--json"]
    run = json.loads(new.done("egobench", "run", "my-eyes", "-o", "colour=red", *asked))
    # Red is near 210 of 255 in the videos of "left" and "right" and near 30 in the others, so the last option is taken
    # in the former and the first in the latter. Options are turned by 0, 1 or 2 places, once each for every answer:
    # that is right for "left" turned by 1, "forward" by 1, "stop" by 2 and "right" by 0.
    entry = run["scores"]["vln-qa/all/mcq/official/acc/generate"]
    assert entry["value"] == pytest.approx(4 / 12)
    assert entry["outcomes"]["answered"] == 12


@pytest.mark.parametrize("kind", ["task", "model"])
def test_an_existing_folder_is_left_alone(kind: str, tmp_path: Path) -> None:
    new_plugin(kind, "mine", tmp_path)
    with pytest.raises(EgoBenchError, match="exists already"):
        new_plugin(kind, "mine", tmp_path)


@pytest.mark.parametrize("kind", ["task", "model"])
def test_a_plugin_cannot_take_the_name_of_egobench_itself(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its package would be called egobench-eval, as EgoBench is"):
        new_plugin(kind, "eval", tmp_path)


@pytest.mark.parametrize("kind", ["task", "model"])
@pytest.mark.parametrize("name", ["", "My Task", "1st", "a_b", "a/b", "../x"])
def test_names_that_no_package_can_have_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"is no name for a {kind}; use small letters, digits and -, e.g. my-{kind}"):
        new_plugin(kind, name, tmp_path)


def code_of(page: Path, start: str) -> str:
    """The block of code of a page that begins with these words."""
    blocks = page.read_text(encoding="utf-8").split("```")[1::2]
    return next(block.partition("\n")[2] for block in blocks if block.partition("\n")[2].startswith(start))


@pytest.mark.slow
def test_a_new_model_scores_a_gallery_as_its_page_says(tmp_path: Path) -> None:
    new, page = installed("model", "my-model", tmp_path), Path(__file__).parents[1] / "docs" / "add_a_model.md"
    module = new.root / "site" / "egobench_my_model.py"
    text = module.read_text(encoding="utf-8")
    # Into the class, before its first method.
    methods = code_of(page, "class Brightness:\n    ...").partition("# as it is\n\n")[2]
    place = text.index("    # 1. How a prompt is answered.")
    module.write_text(f"{text[:place]}{methods}\n{text[place:]}", encoding="utf-8")
    commands = code_of(page, "egobench miniego --out miniego-epic").splitlines()
    assert [command.split()[1] for command in commands] == ["miniego", "build", "run"]
    for command in commands:
        new.done(*command.split())
    (scores,) = (tmp_path / "runs").glob("my-model/*/scores.json")
    assert "epic-kitchens-mir/all/gallery/gallery/nDCG" in scores.read_text(encoding="utf-8")
