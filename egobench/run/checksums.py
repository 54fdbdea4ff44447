"""The signature of a finished run: ``checksums.txt``, the SHA-256 of its files; and how its files are written."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Literal, NamedTuple

from egobench.errors import ChecksumError, StoreError, bare_reason
from egobench.sample import path_problem
from egobench.whole_file import replace_file

CHECKSUMS = "checksums.txt"

JUDGE_FILES = "judge.*.jsonl"
"""What judges have replied, one file per judge."""

EVENT_FILES = "events*.jsonl"
"""What happened to a run, one file per writer."""


class FileProblem(NamedTuple):
    """A file of a run folder that is not as it was signed.

    Attributes:
        file: Its path below the folder.
        problem: What is wrong with it.
    """

    file: str
    problem: Literal["changed", "missing", "not signed"]


def sign(folder: Path, files: Iterable[Path]) -> None:
    """Write the checksums of a run folder: of its spec, its rows, and further files.

    Raises:
        OSError: If a file cannot be read or written.
    """
    signed = sorted({*_rows(folder), *files})
    lines = [f"{_digest(file)}  {file.relative_to(folder).as_posix()}" for file in signed]
    replace_file(folder / CHECKSUMS, "\n".join(lines) + "\n")


def verify_run(folder: Path) -> list[FileProblem]:
    """Files of a run folder that are not as they were signed; empty where all are.

    Raises:
        ChecksumError: If the folder is not signed, or its checksums are damaged.
    """
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise ChecksumError(f"{folder} has no {CHECKSUMS}: the run is not finished; run its command again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ChecksumError(f"{folder / CHECKSUMS} cannot be read ({bare_reason(error)})") from error
    digests: dict[str, str] = {}
    for line in lines:
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or path_problem(name):
            raise ChecksumError(f"{folder / CHECKSUMS}: {line!r:.80} is no checksum; expected a digest and a file name")
        digests[name] = digest
    problems = [FileProblem(name, "missing") for name in digests if not (folder / name).is_file()]
    problems += [
        FileProblem(name, "changed")
        for name, digest in digests.items()
        if (folder / name).is_file() and _digest(folder / name) != digest
    ]
    names = {file.relative_to(folder).as_posix() for file in _rows(folder)}
    return problems + [FileProblem(name, "not signed") for name in sorted(names - digests.keys())]


def check_signature(folder: Path, *, complete: bool = True) -> None:
    """Refuse a signed run folder whose rows are not as they were signed; a folder without checksums is unfinished.

    Args:
        folder: The run folder.
        complete: Whether missing rows are refused too; they are not where they will be asked again.

    Raises:
        ChecksumError: If a file was changed, removed or added.
    """
    if not (folder / CHECKSUMS).is_file():
        return
    # Scores and usage follow from the rows and are written again.
    derived = {"scores.json", "usage.json"}
    problems = [problem for problem in verify_run(folder) if problem.file not in derived]
    problems = [problem for problem in problems if complete or problem.problem != "missing"]
    if problems:
        listed = ", ".join(f"{problem.file} ({problem.problem})" for problem in problems[:3])
        raise ChecksumError(
            f"{folder} is not as it was signed: {listed}; put the files back, or have them scored as they are with "
            f"egobench score {folder} --accept-changes"
        )


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn what the system says against writing into an error of ours.

    Raises:
        StoreError: If the system refuses to write.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; what was written before is kept") from error


def _rows(folder: Path) -> list[Path]:
    """The files that scores are derived from."""
    predictions = folder / "predictions"
    files = [folder / "run.json", *folder.glob(JUDGE_FILES), *folder.glob(EVENT_FILES)]
    return [*files, *(predictions.iterdir() if predictions.is_dir() else ())]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
