"""The rules of the house that no linter knows: sizes, names, light imports, and a packaging that leaves nothing out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FOLDERS = ("egobench", "tasks", "models", "leaderboard", "reference_exo2ego")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = ROOT / ".github" / "workflows"
HEAVY = ("accelerate", "av", "deepspeed", "numpy", "pandas", "peft", "scipy", "torch", "torchvision", "transformers")
TORCH = ("accelerate", "deepspeed", "peft", "sentence_transformers", "torch", "torchvision", "transformers")


def shown(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def dotted(path: Path) -> str:
    """The name under which a source file is imported once EgoBench is installed."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    inside = parts if parts[0] in {"egobench", "reference_exo2ego"} else ("egobench", *parts)
    return ".".join(inside).removesuffix(".__init__")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in memory after a statement ran in a fresh interpreter."""
    code = f"{statement}\nimport json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_no_module_has_a_name_that_says_nothing() -> None:
    nameless = {"common.py", "helpers.py", "misc.py", "util.py", "utils.py"}
    assert shown([path for path in SOURCES + TESTS if path.name in nameless]) == []


def test_no_file_is_longer_than_400_lines() -> None:
    long = [path for path in SOURCES + TESTS if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    assert shown(long) == []


def test_no_two_test_files_have_one_name() -> None:
    names = Counter(path.name for path in TESTS if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_test_imports_another_test_file() -> None:
    imports = re.compile(r"^\s*(from|import) tests\.([a-z0-9_]+\.)*test_", re.MULTILINE)
    assert shown([path for path in TESTS if imports.search(path.read_text(encoding="utf-8"))]) == []


def test_every_folder_of_modules_is_packaged() -> None:
    folders = {dotted(path) for path in SOURCES if path.name == "__init__.py"}
    assert folders == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_every_module_lies_in_a_package() -> None:
    assert shown([path for path in SOURCES if not (path.parent / "__init__.py").exists()]) == []


@pytest.mark.parametrize("module", ["egobench", "egobench.plugins", "egobench.cli"])
def test_what_every_command_starts_with_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    ask = "import sys; sys.argv = ['egobench', '--help']\nfrom egobench.cli import main\n"
    assert loaded_by(f"{ask}try: main()\nexcept SystemExit: pass").isdisjoint(HEAVY)


def test_core_and_tasks_are_imported_without_torch() -> None:
    core = [dotted(path) for path in SOURCES if path.relative_to(ROOT).parts[0] in {"egobench", "tasks"}]
    names = [name for name in core if not name.endswith("__main__")]
    assert loaded_by("import " + ", ".join(names)).isdisjoint(TORCH)


@pytest.mark.parametrize(("file", "alone"), [("constraints.txt", False), ("constraints-lmms.txt", True)])
def test_constraints_pin_a_fitting_version_of_all_that_is_named(file: str, *, alone: bool) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = {
        canonicalize_name(name): pin for name, _, pin in (x.partition("==") for x in lines if not x.startswith("#"))
    }
    extras, groups = PYPROJECT["project"]["optional-dependencies"], PYPROJECT["dependency-groups"]
    # lmms-eval is installed with what it needs of ours, apart from everything else.
    together = [extras[name] for name in ("lmms-eval", "models", "decord", "openai")]
    others = [listed for name, listed in extras.items() if name != "lmms-eval"]
    texts: list[str] = [*PYPROJECT["project"]["dependencies"]]
    for listed in [*together, groups["test"]] if alone else [*others, *groups.values()]:
        texts += [text for text in listed if isinstance(text, str) and not text.startswith("egobench-eval[")]
    unfit = [
        t for t in texts for r in [Requirement(t)] if not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))
    ]
    assert unfit == []
    assert [name for name, pin in pins.items() if not re.fullmatch(r"[0-9.]+(post[0-9]+)?", pin)] == []


def test_the_lowest_versions_that_are_allowed_are_tested() -> None:
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        canonicalize_name(name): pin for name, _, pin in (x.partition("==") for x in lines if not x.startswith("#"))
    }
    floors = {
        requirement.name: specifier.version
        for text in PYPROJECT["project"]["dependencies"]
        for requirement in [Requirement(text)]
        for specifier in requirement.specifier
        if specifier.operator == ">="
    }
    assert floors
    wrong = [name for name, floor in floors.items() if Version(pins[canonicalize_name(name)]) != Version(floor)]
    assert wrong == []


def test_the_version_is_the_same_everywhere() -> None:
    from egobench import __version__

    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert {PYPROJECT["project"]["version"], cited[1], version("egobench-eval")} == {__version__}


def test_the_readme_and_the_continuous_integration_run_the_same_command() -> None:
    command = "pip install tox && tox"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_workflow_runs_every_environment_of_tox() -> None:
    listed = re.search(r"^env_list = (.+)$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    matrix = re.search(r"environment: \[(.+)\]", (WORKFLOWS / "ci.yml").read_text(encoding="utf-8"))
    assert listed is not None
    assert matrix is not None
    # Between the oldest and the newest Python that everybody runs.
    assert set(matrix[1].split(", ")) == {*listed[1].split(", "), "py312"}


def test_actions_are_pinned_by_commit() -> None:
    lines = [line for path in WORKFLOWS.glob("*.yml") for line in path.read_text(encoding="utf-8").splitlines()]
    actions = [line.partition("uses:")[2].strip() for line in lines if "uses:" in line]
    assert [action for action in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[0-9.]+", action)] == []
    assert len(actions) >= 5


def test_the_readme_installs_with_the_constraints() -> None:
    assert 'pip install -c constraints.txt -e ".[all]"' in (ROOT / "README.md").read_text(encoding="utf-8")
