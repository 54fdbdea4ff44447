"""The folder of an ablation: what it is of, and who is at which part of it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from egobench.errors import JsonInputError, ResumeError
from egobench.json_input import JsonValue, read_json
from egobench.observer import Observer
from egobench.whole_file import replace_file

ABOUT = "ablation.json"

POLL_SECONDS = 0.5
"""Seconds between two looks at what another process is at."""


class Stopped(Exception):  # noqa: N818 - no error: the work was asked to stop
    """Ends the work between two parts of it; what is done is kept."""


def check_about(folder: Path, about: Mapping[str, JsonValue], *, begin: bool) -> None:
    """Make sure that a folder is of this very ablation.

    Args:
        folder: The folder.
        about: What the ablation is known by.
        begin: Whether to begin it where there is none.

    Raises:
        ResumeError: If it holds another one, is damaged, or cannot be written.
    """
    path = folder / ABOUT
    if path.is_file():
        known = _read_about(path)
        other = [
            f"{name} {known.get(name)} there, {value} here" for name, value in about.items() if known.get(name) != value
        ]
        if other:
            raise ResumeError(f"{folder}: holds another ablation ({'; '.join(other)}); name another folder")
    elif begin:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(about, indent=1) + "\n")
        except OSError as error:
            raise ResumeError(f"{folder}: cannot be written ({error.strerror}); name another with --out") from error


@contextmanager
def alone(path: Path, observer: Observer, asked_to_stop: Callable[[], bool]) -> Generator[None]:
    """Have a part of the work alone, waiting for a process that is at it.

    Args:
        path: The part's lock.
        observer: Is told who is waited for.
        asked_to_stop: Says whether the work was asked to stop, which ends the waiting too.

    Raises:
        Stopped: If it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        if not _is_locked(lock):
            observer.note(f"another process is at {path.stem}; waiting for it")
            while not _is_locked(lock):
                if asked_to_stop():
                    raise Stopped
                sleep(POLL_SECONDS)
        yield


def _read_about(path: Path) -> dict[str, JsonValue]:
    try:
        known = read_json(path.read_bytes(), str(path))
        if isinstance(known, dict):
            return known
        problem = "no JSON object"
    except (OSError, JsonInputError) as error:
        problem = str(error)
    raise ResumeError(f"{path}: damaged ({problem}); put it back, or name another folder with --out")


def _is_locked(lock: IO[str]) -> bool:
    """Lock a part, unless another process has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
