"""What the workflow does with the files of a pull request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from tests.leaderboard.submissions import VLN_ROWS, read_members, write_members

ROOT = Path(__file__).parents[2]


def check(pull: Path, base: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(ROOT / ".ci" / "submissions.py"), str(pull), str(base)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def base(tmp_path: Path, guessed: Path) -> Path:
    """The submissions of the main branch."""
    folder = tmp_path / "base"
    (folder / "old-model").mkdir(parents=True)
    (folder / "README.md").write_text("Submissions\n")
    (folder / "old-model" / "run.zip").write_bytes(guessed.read_bytes())
    (folder / "old-model" / "run.zip.check.json").write_text("{}")
    return folder


def test_a_bundle_that_agrees_with_itself_is_accepted(tmp_path: Path, base: Path, guessed: Path) -> None:
    pull = copytree(base, tmp_path / "pull")
    (pull / "my-model").mkdir()
    (pull / "my-model" / "run.zip").write_bytes(guessed.read_bytes())
    done = check(pull, base)
    assert (done.returncode, done.stdout) == (
        0,
        f"my-model/run.zip: run {guessed.stem.rpartition('-')[2]} passes 11 checks\n",
    )


def test_everything_else_is_refused_by_name(tmp_path: Path, base: Path, guessed: Path) -> None:
    pull = copytree(base, tmp_path / "pull")
    members = read_members(guessed)
    members[VLN_ROWS] = members[VLN_ROWS].replace(b'"reply": "C"', b'"reply": "D"', 1)
    (pull / "my-model").mkdir()
    write_members(pull / "my-model" / "changed.zip", members, sign=False)
    write_members(pull / "old-model" / "run.zip", members)
    (pull / "my-model" / "run.zip.check.json").write_text("{}")
    (pull / "my-model" / "setup.py").write_text("print('owned')")
    (pull / "my-model" / "link.zip").symlink_to("/etc/passwd")
    (pull / "my-model" / "\x1b[31m.zip").write_bytes(b"")
    (pull / "README.md").write_text("Mine\n")
    done = check(pull, base)
    assert done.returncode == 1
    reasons = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert "changed" in reasons["my-model/changed.zip"]
    assert "cannot be replaced" in reasons["old-model/run.zip"]
    assert "maintainers alone" in reasons["my-model/run.zip.check.json"]
    assert "expected MODEL/NAME.zip" in reasons["my-model/setup.py"]
    assert "a link" in reasons["my-model/link.zip"]
    assert "expected MODEL/NAME.zip" in reasons["my-model/\\x1b[31m.zip"]
    assert "expected MODEL/NAME.zip" in reasons["README.md"]
    assert "\x1b" not in done.stdout


def test_a_submission_is_never_removed(tmp_path: Path, base: Path) -> None:
    pull = copytree(base, tmp_path / "pull")
    (pull / "old-model" / "run.zip").unlink()
    assert "old-model/run.zip: was removed" in check(pull, base).stdout
    assert check(base, base).returncode == 0
