"""``egobench leaderboard``, as a person types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from egobench.cli import leaderboard
from egobench.evaluate import evaluate
from egobench.plugins import load_model
from tests.cli import egobench
from tests.conftest import Navigation

COMMANDS = [command.callback.__name__ for command in leaderboard.registered_commands if command.callback]


@pytest.fixture
def bundle(navigation: Navigation) -> Path:
    """The bundle of a run over navigation questions."""
    recorded = {"data": str(navigation.data)}
    model = load_model("random", frames=2)
    run = evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", recorded=recorded).path
    path = navigation.root / "mine.zip"
    done = egobench("leaderboard", "pack", run, "--out", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"{re.escape(str(path))}: [\d,]+ bytes\n", done.stdout)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = egobench("leaderboard", command, "--help")
    assert done.returncode == 0
    assert re.search(rf"Example: egobench leaderboard {command} ", " ".join(done.stdout.split()))


def test_a_bundle_is_checked_and_its_record_written(navigation: Navigation, bundle: Path) -> None:
    done = egobench(
        "leaderboard", "check", bundle, "--data", navigation.data, "--videos", navigation.videos, "--record"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"pixels +│ passed", done.stdout)
    assert "re-scored, may be ranked; 12 clips decoded again" in " ".join(done.stdout.split())
    record = json.loads(Path(f"{bundle}.check.json").read_text())
    assert (record["level"], record["clips"], record["failed"]) == ("re-scored", 12, [])
    printed = egobench("leaderboard", "check", bundle, "--json")
    assert json.loads(printed.stdout)["level"] == "self-reported"


def test_a_bundle_that_fails_is_named_with_its_checks(bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-50])
    done = egobench("leaderboard", "check", bundle)
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert done.stderr.splitlines()[-1] == f"egobench: {bundle} does not pass: archive"


def test_a_bundle_is_exported(navigation: Navigation, bundle: Path) -> None:
    out = navigation.root / "store"
    done = egobench(
        "leaderboard", "export", bundle, "--format", "every-eval-ever", "--out", out, "--date", "2026-03-01"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(Path(done.stdout.strip()).read_text())["evaluation_timestamp"] == "1772323200"
    wrong = egobench("leaderboard", "export", bundle, "--format", "hf-eval-results", "--out", out)
    assert (wrong.returncode, "give --dataset and --url" in wrong.stderr) == (2, True)
