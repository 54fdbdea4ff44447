"""The process that holds an lmms-eval model, and how it is talked to.

It has a process of its own because lmms-eval wants other libraries than EgoBench, and changes logging, time limits and
locks of the process it is in.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from typing import Any

from egobench.errors import ModelError

_BOOT = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; import runpy; runpy.run_path(sys.argv[1], {}, '__main__')"
)
"""Runs a file without its folder, or the current one, among those that modules are looked for in."""

_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "MASTER_", "TORCHELASTIC_", "OMPI_", "PMI_", "MPI_", "MV2_")
"""How variables of a parallel job begin, in which lmms-eval's models would wait for one another."""

TAIL = 12
"""Lines of its log that are shown when the process has ended."""

LAST = 16384
"""Bytes of the log that are looked at for them."""

PATIENCE = 5.0
"""Seconds in which a process that has hung up is expected to end, and to leave its exit code."""


class Worker:
    """A running process, and a folder for the clips it is shown; both end with this object or with EgoBench.

    Attributes:
        pid: Number of the process.
    """

    def __init__(self, python: str) -> None:
        """Start it.

        Args:
            python: The Python of the environment that has lmms-eval.

        Raises:
            ModelError: If there is no such program.
        """
        base = Path(mkdtemp(prefix="egobench-lmms-eval-"))
        self._folder, self._log, self._clips = base, base / "log.txt", count()
        self._requests = count()
        ours, theirs = socket.socketpair()
        script = Path(__file__).with_name("worker.py")
        # Whatever it crashes in, its last words reach the log.
        surroundings = {key: value for key, value in os.environ.items() if not key.startswith(_RANKS)}
        surroundings |= {"PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1"}
        try:
            with theirs, self._log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - the Python that was asked for
                    [python, "-c", _BOOT, str(script), str(theirs.fileno()), str(base)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env=surroundings,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            shutil.rmtree(base)
            raise ModelError(f"cannot start {python!r} ({error.strerror}); -o python=... names a Python") from error
        self.pid = process.pid
        self._process = process
        self._lines = ours.makefile("rw", encoding="utf-8")
        self._watch = Thread(target=_outlive, args=(process, ours), daemon=True)
        self._watch.start()
        self._end = weakref.finalize(self, _end, process, self._watch, (self._lines, ours), base)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer, however long it takes.

        Args:
            request: What :mod:`egobench.models.lmms_eval.worker` takes.

        Returns:
            The answer; its ``"error"`` says why there is none.

        Raises:
            ModelError: If the process has ended.
        """
        number, answer = next(self._requests), dict[str, Any]()
        with suppress(OSError, ValueError):
            self._lines.write(json.dumps({**request, "request": number}) + "\n")
            self._lines.flush()
            # An answer that nobody waited for, after an interruption, is not that of the next request.
            while answer.get("request") != number and (line := self._lines.readline()).endswith("\n"):
                answer = json.loads(line)
        if answer.get("request") == number:
            return answer
        raise ModelError(
            f"the process of the lmms-eval model has ended ({self._status()}); it said last:\n{self.log()}"
        )

    def new_clip(self) -> Path:
        """Where to put the next clip: a name never used before, so that nothing kept by name answers for it.

        Raises:
            ModelError: If the process was ended, and its folder deleted.
        """
        if not self._end.alive:
            raise ModelError("the process of the lmms-eval model was ended; load the model again")
        return self._folder / f"{next(self._clips)}.mp4"

    def log(self) -> str:
        """The last lines it printed."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - LAST))
                tail = file.read().decode(errors="replace")
        except OSError:
            return "(nothing)"
        # A progress bar writes its states over one another.
        lines = [line.rstrip().rpartition("\r")[2] for line in tail.split("\n") if line.strip()]
        return "\n".join(lines[-TAIL:]) or "(nothing)"

    def close(self) -> None:
        """End it, and delete its folder."""
        self._end()

    def _status(self) -> str:
        self._watch.join(PATIENCE)
        _stop(self._process, self._watch)
        status = self._process.wait()
        if status >= 0:
            return f"exit code {status}"
        memory = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
        return f"signal {-status}, {signal.strsignal(-status)}{memory}"


def find_python(python: str) -> str:
    """The Python to run lmms-eval with: the one asked for, else this one.

    Raises:
        ModelError: If this one has no lmms-eval.
    """
    if python:
        return str(Path(python).expanduser())
    if find_spec("lmms_eval") is None:
        raise ModelError(
            "lmms-eval is not installed in this environment; give the Python of one where it is, "
            "-o python=/path/to/bin/python, or see docs/lmms_eval.md for how to make one"
        )
    return sys.executable


def _outlive(process: subprocess.Popen[bytes], channel: socket.socket) -> None:
    """Wait for its end, then end what it has started, which may hold the other end of the channel, and the channel."""
    process.wait()
    _kill(process)
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _end(process: subprocess.Popen[bytes], watch: Thread, channel: Sequence[Any], folder: Path) -> None:
    for end in channel:
        with suppress(OSError):
            end.close()
    _stop(process, watch)
    shutil.rmtree(folder, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes], watch: Thread) -> None:
    if watch.is_alive():
        _kill(process)
        watch.join()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and whatever it has started: it leads a process group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
