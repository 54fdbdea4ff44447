"""What the workflow does that publishes the site of all submissions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaderboard.submissions import World

WORKFLOW = (Path(__file__).parents[2] / ".github" / "workflows" / "board.yml").read_text(encoding="utf-8")
BUILD, PUBLISH = WORKFLOW.split("\n  publish:\n")


@pytest.fixture
def checkout(tmp_path: Path, guessed: Path) -> Path:
    """A main branch with one submission."""
    (tmp_path / "submissions" / "my-model").mkdir(parents=True)
    (tmp_path / "submissions" / "README.md").write_text("Submissions\n")
    (tmp_path / "submissions" / "my-model" / "run.zip").write_bytes(guessed.read_bytes())
    return tmp_path


def build(checkout: Path, data: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow's own line, as a shell of a runner would."""
    (line,) = re.findall(r"run: (egobench leaderboard .*)", WORKFLOW)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "BOARD_DATA": data}
    command = ["/bin/bash", "-e", "-c", line]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_its_line_builds_what_is_uploaded_without_data(checkout: Path) -> None:
    done = build(checkout, "")
    assert done.returncode == 0, done.stderr
    uploaded = re.findall(r"path: (\S+)", BUILD)
    assert uploaded == ["site"]
    site = checkout / uploaded[0]
    rows = json.loads((site / "data" / "board.json").read_bytes())
    assert {row["level"] for row in rows} == {"self-reported"}
    assert {row["rank_best"] for row in rows} == {None}
    assert "the sample set is not at hand" in (site / "task" / "vln-qa.html").read_text(encoding="utf-8")
    assert not (site / "samples").exists()


def test_nothing_of_a_question_is_published(checkout: Path, world: World) -> None:
    assert build(checkout, str(world.data)).returncode == 0
    site = checkout / "site"
    pages = "".join(path.read_text(encoding="utf-8") for path in sorted(site.rglob("*")) if path.is_file())
    questions = [sample.question for sample in world.samples("egoplan").values()]
    assert len(questions) > 3
    assert not [question for question in questions if question in pages]
    assert "the sample set is not at hand" not in pages


def test_only_the_main_branch_is_published_and_only_the_last_job_may_write() -> None:
    assert "branches: [main]" in BUILD
    assert "if: github.ref == 'refs/heads/main'" in BUILD
    assert "pull_request" not in WORKFLOW
    assert re.findall(r"(\S+): write", BUILD) == []
    assert re.findall(r"(\S+): write", PUBLISH) == ["pages", "id-token"]
    assert "checkout" not in PUBLISH
    assert "run:" not in PUBLISH


def test_actions_are_named_by_commit() -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert len(used) == 4
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
