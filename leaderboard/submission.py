"""Submissions: run folders and bundle files as a leaderboard takes them, and the records of their checks.

A run folder and a bundle file are both submissions. The record of a check lies beside its submission, as
``<its name>.check.json``; it counts only as long as the submission is the one that was checked.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from egobench.errors import BundleError, JsonInputError
from egobench.json_input import read_json
from egobench.run.checksums import CHECKSUMS, writing
from egobench.run.finding import files_below, find_run_folders
from egobench.whole_file import replace_file

from .archive import unpack

Level = Literal["published", "self-reported", "re-scored", "reproduced"]
LEVELS: tuple[Level, ...] = ("published", "self-reported", "re-scored", "reproduced")
"""How much stands behind a number, least first: a printed table; files that agree with one another; scores computed
again from the replies over the checker's own sample sets; a second run whose scores lie within the first one's
intervals."""

RECORD_SUFFIX = ".check.json"
"""Ending of the record of a check, behind the name of its submission."""


class FailedCheck(NamedTuple):
    """A check that a submission did not pass.

    Attributes:
        check: Name of the check, see :data:`egobench.leaderboard.checks.CHECKS`.
        problem: What is wrong, where, and what was expected.
    """

    check: str
    problem: str


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The record of a submission's check.

    Attributes:
        run_id: The run's id; ``""`` where the submission could not be read.
        digest: Digest of what was checked: SHA-256 of the bundle, or of the checksums of a run folder.
        level: How much stands behind its numbers; ``None`` where it is refused.
        ranked: Whether it may be ranked: not where only some samples were asked.
        passed: Names of the checks that it passed.
        failed: The checks that it did not pass.
        harness: Version of EgoBench that made the check.
        sets: Hashes of the checker's own sample sets that it was scored over, sorted; empty without data.
        clips: Number of clips that were decoded again.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    run_id: str
    digest: str
    level: Level | None
    ranked: bool
    passed: tuple[str, ...]
    failed: tuple[FailedCheck, ...]
    harness: str
    sets: tuple[str, ...]
    clips: int

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {**asdict(self), "failed": [failed._asdict() for failed in self.failed]}

    @classmethod
    def from_json(cls, content: bytes, source: str) -> CheckRecord:
        """Read a record that :meth:`to_json` made.

        Args:
            content: The JSON text.
            source: Name of the file, for messages.

        Raises:
            BundleError: If it is no record.
        """
        try:
            row: Any = read_json(content, source)
            return TypeAdapter(cls).validate_python(row)
        except (JsonInputError, ValidationError) as error:
            raise BundleError(f"{source} is no record of a check; delete it and check again") from error


class Submission(NamedTuple):
    """A submission, opened.

    Attributes:
        path: The run folder or bundle file.
        folder: A run folder with its rows and scores: the path itself, or what the bundle holds. In a bundle's rows
            the replies are sealed, see :mod:`egobench.leaderboard.sealing`.
        record: Record of its check; ``None`` where it was not checked, or was changed since.
    """

    path: Path
    folder: Path
    record: CheckRecord | None

    @property
    def level(self) -> Level | None:
        """How much stands behind its numbers; ``None`` where it is refused."""
        return "self-reported" if self.record is None else self.record.level

    @property
    def ranked(self) -> bool:
        """Whether its check allows it to be ranked."""
        return self.record is not None and self.record.ranked


@contextmanager
def open_submission(path: Path) -> Generator[Submission]:
    """Open a run folder or a bundle file; a bundle is unpacked for as long as the context lasts.

    Args:
        path: The run folder or bundle file.

    Raises:
        BundleError: If the file is no bundle, or may do harm.
        StoreError: If the folder holds no finished run.
    """
    record = read_record(path)
    if path.is_dir():
        yield Submission(path, path, record)
        return
    with TemporaryDirectory(prefix="egobench-bundle-") as folder:
        unpack(path, Path(folder))
        yield Submission(path, Path(folder), record)


def find_submissions(paths: list[Path]) -> list[Path]:
    """Find the run folders and bundle files at or below some paths, sorted.

    Args:
        paths: Run folders, folders of them, bundle files, folders of these.

    Raises:
        BundleError: If one of them holds none.
    """
    submissions: set[Path] = set()
    for path in paths:
        bundles = [file for file in files_below(path) if file.suffix == ".zip"]
        below = {*find_run_folders(path), *bundles} if path.is_dir() else {path}
        if not below or not path.exists():
            raise BundleError(f"{path} holds no run and no bundle; make them with egobench run and leaderboard pack")
        submissions |= below
    return sorted(submissions)


def record_path(path: Path) -> Path:
    """Return the path of the record of a submission's check; for ``.`` and ``..`` beside the folders that they are."""
    own = path.resolve() if path.name in {"", ".."} else path
    return own.with_name(own.name + RECORD_SUFFIX)


def read_record(path: Path) -> CheckRecord | None:
    """Read the record of a submission's check; ``None`` without one, or where the submission has changed since.

    Raises:
        BundleError: If the record is damaged.
    """
    file = record_path(path)
    if not file.is_file():
        return None
    record = CheckRecord.from_json(file.read_bytes(), str(file))
    return record if record.digest == submission_digest(path) else None


def write_record(path: Path, record: CheckRecord) -> Path:
    """Write the record of a submission's check beside it.

    Returns:
        The file.

    Raises:
        StoreError: If it cannot be written.
    """
    file = record_path(path)
    with writing(file):
        replace_file(file, json.dumps(record.to_json(), indent=1, ensure_ascii=False) + "\n")
    return file


def submission_digest(path: Path) -> str:
    """Return the SHA-256 of a bundle file, or of the checksums of a run folder.

    Raises:
        BundleError: If there is nothing to be read.
    """
    try:
        with (path / CHECKSUMS if path.is_dir() else path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: no bundle and no finished run ({error.strerror})") from error
