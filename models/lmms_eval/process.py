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
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any

from egobench.errors import ModelError

_BOOT = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; import runpy; runpy.run_path(sys.argv[1], {}, '__main__')"
)
"""Runs a file without its folder, or the current one, among those that modules are looked for in."""

_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Variables of a parallel job, in which lmms-eval's models would wait for one another."""

TAIL = 12
"""Lines of its log that are shown when the process has ended."""

PATIENCE = 5.0
"""Seconds it is given to end by itself."""


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
        try:
            with theirs, self._log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - the Python that was asked for
                    [python, "-c", _BOOT, str(script), str(theirs.fileno()), str(base)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env={key: value for key, value in os.environ.items() if key not in _RANKS},
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            shutil.rmtree(base)
            raise ModelError(f"cannot start {python!r} ({error.strerror}); -o python=... names a Python") from error
        self.pid = process.pid
        self._process = process
        self._lines = ours.makefile("rw", encoding="utf-8")
        self._end = weakref.finalize(self, _end, process, ours, self._lines, base)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

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
        """Where to put the next clip: a name never used before, so that nothing kept by name answers for it."""
        return self._folder / f"{next(self._clips)}.mp4"

    def log(self) -> str:
        """The last lines it printed."""
        try:
            said = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "(nothing)"
        # A progress bar writes its states over one another.
        lines = [line.rpartition("\r")[2] for line in said.splitlines() if line.strip()]
        return "\n".join(lines[-TAIL:]) or "(nothing)"

    def close(self) -> None:
        """End it, and delete its folder."""
        self._end()

    def _status(self) -> str:
        if self._process.returncode is None:
            self._reap()
        status = self._process.wait()
        return f"exit code {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"

    def _reap(self) -> None:
        # Looked at without taking note of it: its group, with what it had started, can be named until then.
        end = monotonic() + PATIENCE
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None and monotonic() < end:
            sleep(0.02)
        _kill(self._process, signal.SIGKILL)


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


def _end(process: subprocess.Popen[bytes], channel: socket.socket, lines: Any, folder: Path) -> None:
    with suppress(OSError):
        lines.close()
    channel.close()
    if process.stdin is not None:
        process.stdin.close()
    _kill(process, signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        _kill(process, signal.SIGKILL)
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _kill(process: subprocess.Popen[bytes], kind: signal.Signals) -> None:
    """Signal it and whatever it has started: it leads a process group of its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
