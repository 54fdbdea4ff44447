"""Locks of an ablation: which process is at which part of the work."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from egobench.observer import Observer

POLL_SECONDS = 0.5
"""Seconds between two tries of a lock that another process has."""


class Stopped(Exception):  # noqa: N818 - no error: the work was asked to stop
    """Ends the work between two parts of it; what is done is kept."""


@contextmanager
def locked(path: Path, observer: Observer, asked_to_stop: Callable[[], bool]) -> Generator[None]:
    """Hold the lock of a part of the work, after waiting for the process that has it.

    Args:
        path: The file that is locked.
        observer: Receives a note on which part is waited for.
        asked_to_stop: Tells whether the work was asked to stop, which ends the waiting too.

    Raises:
        Stopped: If it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        if not _try_lock(lock):
            observer.note(f"another process is at {path.stem}; waiting for it")
            while not _try_lock(lock):
                if asked_to_stop():
                    raise Stopped
                sleep(POLL_SECONDS)
        yield


def _try_lock(lock: IO[str]) -> bool:
    """Lock a file unless another process has it; return whether it is locked."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
