"""What is handed out: the wheel and the source archive, the name they are installed by, and who can install them."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from string import Template
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTION = "egobench-eval"
FOLDERS = (
    ".ci",
    ".github",
    "benchmarks",
    "docs",
    "egobench",
    "leaderboard",
    "models",
    "reference_exo2ego",
    "tasks",
    "tests",
)
BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""
TEXTS = (".cff", ".cfg", ".ini", ".jsonl", ".md", ".py", ".toml", ".txt", ".yaml", ".yml")
OLD_NAME = re.compile(
    r"""egobench\[[a-z{]           # a requirement with extras
    | pip\ install\b[^\n`&;|]*[ '"]egobench(?![-\w/])
    | (?:version|metadata|distribution|requires)\(["']egobench["']""",
    re.VERBOSE,
)
"""Ways to name the package index's ``egobench``, which is another project's, where ours is meant."""


@dataclass(frozen=True)
class Distribution:
    """A wheel and a source archive.

    Attributes:
        metadata: The wheel's metadata.
        wheel: Names of the files in the wheel.
        archive: Names of the files in the source archive, without its top folder.
        commands: The wheel's ``entry_points.txt``.
    """

    metadata: Message
    wheel: frozenset[str]
    archive: frozenset[str]
    commands: str


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """What ``setuptools`` builds from a copy of the checkout, without network and without isolation."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("egobench", "leaderboard", "models", "reference_exo2ego", "tasks"):
        copytree(ROOT / folder, source / folder, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source)
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        information = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(information).decode())
        commands = wheel.read(information.replace("METADATA", "entry_points.txt")).decode()
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        archived = frozenset(name.partition("/")[2] for name in archive.getnames())
    return Distribution(metadata, frozenset(names), archived, commands)


def texts() -> list[Path]:
    """Every text file of the checkout that a person or an installer reads, but for the change log and this file."""
    below = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    skipped = {ROOT / "CHANGELOG.md", Path(__file__)}
    paths = [path for path in [*sorted(ROOT.iterdir()), *below] if path.is_file() and path not in skipped]
    return [path for path in paths if path.suffix in TEXTS or path.parent.name == ".ci"]


def test_the_distribution_is_egobench_eval_and_the_package_egobench(distribution: Distribution) -> None:
    assert distribution.metadata["Name"] == DISTRIBUTION
    assert {"egobench/__init__.py", "egobench/tasks/__init__.py", "reference_exo2ego/__init__.py"} <= distribution.wheel
    assert "egobench = egobench.cli:main" in distribution.commands.splitlines()


def test_extras_refer_to_the_distribution_by_its_name(distribution: Distribution) -> None:
    requirements = [Requirement(text) for text in distribution.metadata.get_all("Requires-Dist", [])]
    own = {
        str(requirement.marker): requirement.extras for requirement in requirements if requirement.name == DISTRIBUTION
    }
    assert own['extra == "judge"'] == {"openai"}
    assert {"models", "train"} <= own['extra == "all"']
    assert [str(requirement) for requirement in requirements if requirement.name == "egobench"] == []


def test_the_wheel_says_posix_and_every_python_that_is_tested(distribution: Distribution) -> None:
    classifiers = distribution.metadata.get_all("Classifier", [])
    minors = [
        text.rpartition("3.")[2] for text in classifiers if text.startswith("Programming Language :: Python :: 3.")
    ]
    assert [text for text in classifiers if text.startswith("Operating System")] == ["Operating System :: POSIX"]
    assert minors == re.findall(r"^\[testenv:py3(\d+)\]", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_wheel_has_every_module_and_template(distribution: Distribution) -> None:
    modules = {
        f"{'' if folder in {'egobench', 'reference_exo2ego'} else 'egobench/'}{path.relative_to(ROOT)}"
        for folder in ("egobench", "tasks", "models", "leaderboard", "reference_exo2ego")
        for path in (ROOT / folder).rglob("*.py")
    }
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "egobench").rglob("*.txt")}
    assert modules | templates <= distribution.wheel
    assert len(templates) >= 8


def test_the_source_archive_has_all_that_the_wheel_is_made_of(distribution: Distribution) -> None:
    sources = {
        re.sub(r"^egobench/(tasks|models|leaderboard)/", r"\1/", name)
        for name in distribution.wheel
        if ".dist-info/" not in name
    }
    assert sources | {"pyproject.toml", "README.md", "LICENSE"} <= distribution.archive


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("pip install egobench", True),
        ("pip install 'egobench[models]'", True),
        ('judge = ["egobench[openai]"]', True),
        ('version("egobench")', True),
        ("pip install 'egobench-eval[models]' && egobench demo", False),
        ("pip install ./egobench-my-task", False),
        ("egobench run random", False),
    ],
)
def test_the_old_name_is_recognised(line: str, *, wrong: bool) -> None:
    assert (OLD_NAME.search(line) is not None) == wrong


def test_nothing_is_installed_by_the_name_of_another_project() -> None:
    lines = [(path, line) for path in texts() for line in path.read_text(encoding="utf-8").splitlines()]
    assert [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines if OLD_NAME.search(line)] == []


@pytest.mark.parametrize("kind", ["task", "model"])
def test_a_new_plugin_requires_the_distribution(kind: str) -> None:
    template = Template((ROOT / f"egobench/commands/templates/{kind}/pyproject.toml.txt").read_text(encoding="utf-8"))
    project = tomllib.loads(template.substitute(name="mine", module="mine"))["project"]
    assert DISTRIBUTION in project["dependencies"]
    assert "egobench" not in project["dependencies"]
