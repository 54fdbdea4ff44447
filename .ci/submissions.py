"""Checks the bundles that a pull request adds, without data: level self-reported at most.

Usage: ``python .ci/submissions.py PULL BASE``, two folders of submissions. Of the pull request its bundles alone are
looked at: this file and EgoBench itself are the base branch's. Exit code 1 where a file is no bundle that passes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from filecmp import cmp
from pathlib import Path

from egobench.commands.console import printable
from egobench.errors import BundleError
from egobench.leaderboard.checks import check_submission

MAX_BYTES = 100 * 2**20
"""Size of a file that the repository takes; larger ones are sent as a link."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.zip", re.ASCII)
"""Folder of the model, and the bundle."""


def problems(pull: Path, base: Path) -> Iterator[str]:
    """What is wrong with the files that a pull request adds or changes."""
    for path in sorted(pull.rglob("*")):
        name = path.relative_to(pull).as_posix()
        known = base / name
        if path.is_symlink():
            yield f"{name}: a link; expected a bundle"
        elif path.is_file() and not (known.is_file() and cmp(path, known, shallow=False)):
            yield from _problems_of(path, name, known)
    gone = [known for known in sorted(base.rglob("*.zip")) if not (pull / known.relative_to(base)).is_file()]
    yield from (
        f"{known.relative_to(base)}: was removed; a submission stays, and a better one is added" for known in gone
    )


def _problems_of(path: Path, name: str, known: Path) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield f"{name}: expected MODEL/NAME.zip; records of checks are written by maintainers alone"
    elif known.is_file():
        yield f"{name}: is there already and cannot be replaced; give the new one another name"
    elif path.stat().st_size > MAX_BYTES:
        yield f"{name}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,}, send a link to a larger one"
    else:
        try:
            record = check_submission(path)
        except BundleError as error:
            yield f"{name}: {error}"
            return
        yield from (f"{name}: {check}: {problem}" for check, problem in record.failed)
        if not record.failed:
            sys.stdout.write(f"{name}: run {record.run_id} passes {len(record.passed)} checks\n")


def main() -> int:
    """Run the check as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pull", type=Path)
    parser.add_argument("base", type=Path)
    arguments = parser.parse_args()
    lines = [printable(problem) for problem in problems(arguments.pull, arguments.base)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
