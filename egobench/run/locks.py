"""Locks of a run folder: for one process alone, or for several that share its work. Each ends with its process.

``.lock`` is locked whole, by the one process that works alone or by all that share. Those that share also lock
``.locks/<writer>``, a file per writer, and in ``.locks/<part>`` one byte per unit of work that they are at; and they
take turns by ``.locks/turn``, and by ``.locks/deaths`` where they count what a process died of.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Self

from egobench.errors import BusyRunError, ReadOnlyRunError, StoreError

LOCKS = ".locks"
"""Folder of the locks of those that share a run."""

PATIENCE = 30.0
"""Seconds in which whoever wants to share a run waits for a process that only scores it."""

POLL_SECONDS = 0.2


@contextmanager
def alone(run: Path, *, patience: float = 0.0) -> Generator[None]:
    """Work on a run folder alone.

    Args:
        run: The run folder.
        patience: Seconds to wait for others.

    Raises:
        BusyRunError: If another process is at work in it.
        ReadOnlyRunError: If it cannot be written.
    """
    with _open(run / ".lock") as lock:
        if not _lock_within(lock, fcntl.LOCK_EX, patience):
            raise BusyRunError(f"another process is at work in {run}; wait for it or stop it")
        yield


@contextmanager
def together(run: Path) -> Generator[None]:
    """Work on a run folder with others that share its work.

    Raises:
        BusyRunError: If a process works in it alone, and goes on for more than :data:`PATIENCE` seconds.
        ReadOnlyRunError: If it cannot be written.
    """
    with _open(run / ".lock") as lock:
        if not _lock_within(lock, fcntl.LOCK_SH, PATIENCE):
            raise BusyRunError(f"another process is at work in {run} and does not share; wait for it or stop it")
        yield


@contextmanager
def in_turn(run: Path, matter: str = "turn") -> Generator[None]:
    """Do what only one of those that share a run may do at a time; the others wait.

    Args:
        run: The run folder.
        matter: What it is about. Turns of one matter wait for one another, also inside one process, so they are never
            nested; those of two matters may be.

    Raises:
        ReadOnlyRunError: If the folder cannot be written.
    """
    with _open(run / LOCKS / matter) as lock:
        _lock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def writer_name(run: Path) -> Generator[str]:
    """A name that no other living process writes under: ``"worker-0"``, ``"worker-1"`` and so on.

    Raises:
        ReadOnlyRunError: If the folder cannot be written.
    """
    for number in count():
        name = f"worker-{number}"
        with _open(run / LOCKS / name) as lock:
            if _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield name
                return


class UnitLocks:
    """Locks on the units of work of one part of a run, as a context manager; leaving it frees them.

    Args:
        run: The run folder.
        part: Name of the part.

    Raises:
        ReadOnlyRunError: If the folder cannot be written.
    """

    def __init__(self, run: Path, part: str) -> None:
        self._path = run / LOCKS / part
        self._file = _open(self._path)

    def __enter__(self) -> Self:
        """Return the locks."""
        return self

    def __exit__(self, *error: object) -> None:
        """Free every unit."""
        self._file.close()

    def take(self, unit: int) -> bool:
        """Lock a unit, unless another process has it.

        Raises:
            StoreError: If the disk has no locks.
        """
        try:
            # A lock on a byte beyond the end of the file; hundreds of thousands cost one open file.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, unit)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            raise _lockless(self._path, error) from error
        return True


def _open(path: Path) -> TextIOWrapper:
    try:
        path.parent.mkdir(exist_ok=True)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise ReadOnlyRunError(
            f"cannot write {path.parent}: {error.strerror}; what was written before is kept"
        ) from error


def _lock_within(file: TextIOWrapper, how: int, seconds: float) -> bool:
    until = monotonic() + seconds
    while not (locked := _lock(file, how | fcntl.LOCK_NB)) and monotonic() < until:
        sleep(POLL_SECONDS)
    return locked


def _lock(file: TextIOWrapper, how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _lockless(Path(file.name), error) from error
    return True


def _lockless(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be locked ({error.strerror}): this disk has no file locks; put the runs on one that has them, "
        "such as NFS 4, or Lustre mounted with -o flock"
    )
