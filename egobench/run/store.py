"""The run folder: the spec of a run, its predictions, and the scores that follow from them.

::

    runs/<model>/<run id>/
        run.json          the spec, and beside it what is recorded but does not identify the run
        predictions/      <task>.<subset>.<protocol>.<construction>.<writer>.jsonl, one line per sample, appended;
                          beside it, for a gallery, <the same>.npy, its scores
        scores.json       one entry per protocol id, derived from the predictions
        events.jsonl      what a run had to do otherwise than it was told: batches that were too large
        checksums.txt     SHA-256 of the other files, written last

A prediction is one line that ends in a newline, so a process that is killed leaves at most one broken line at the end
of a file; it is cut off when the run is opened again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from egobench.errors import SpecMismatchError, StoreError
from egobench.run.records import Event, JudgeReply, Prediction, Row, encode_rows, read_rows
from egobench.run.spec import RunSpec

JUDGE_FILES = "judge.*.jsonl"
"""What judges have replied, one file per judge."""

SYNC_SECONDS = 5.0
"""Longest time a written prediction waits for ``fsync``."""


class RunFile(NamedTuple):
    """The content of ``run.json``.

    Attributes:
        spec: What identifies the run.
        recorded: What is kept beside it: library versions, hardware, command, folder of sample sets.
    """

    spec: RunSpec
    recorded: Mapping[str, Any]


class Run:
    """One run folder, open in one process at a time."""

    def __init__(self, path: Path, spec: RunSpec) -> None:
        self.path = path
        self.spec = spec
        self._files: dict[str, FileIO] = {}
        self._synced = monotonic()

    def predictions(self, part: str) -> dict[str, Prediction]:
        """Predictions of one part so far, by sample id, with the options in the sample's own order.

        Args:
            part: ``<task>.<subset>.<protocol>.<construction>``.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return self.predictions_by_order(part).get(0, {})

    def predictions_by_order(self, part: str) -> dict[int, dict[str, Prediction]]:
        """Predictions of one part so far, by order of the options and sample id; the last line of each counts.

        Args:
            part: ``<task>.<subset>.<protocol>.<construction>``.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        by_order: dict[int, dict[str, Prediction]] = {}
        for path in sorted((self.path / "predictions").glob(f"{part}.*.jsonl")):
            for prediction in read_rows(path, Prediction):
                by_order.setdefault(prediction.order, {})[prediction.id] = prediction
        return by_order

    def judge_replies(self) -> dict[str, dict[str, JudgeReply]]:
        """What judges have replied to this run's open answers, by judge and key; the last line of each counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        replies: dict[str, dict[str, JudgeReply]] = {}
        for path in sorted(self.path.glob(JUDGE_FILES)):
            judge = unquote(path.name.removeprefix("judge.").removesuffix(".jsonl"))
            replies[judge] = {reply.key: reply for reply in read_rows(path, JudgeReply)}
        return replies

    def append_judge_reply(self, judge: str, reply: JudgeReply) -> None:
        """Append a judge's reply.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(f"judge.{quote(judge, safe='')}.jsonl", [reply])

    def append_event(self, event: Event) -> None:
        """Append an event.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append("events.jsonl", [event])

    def append(self, part: str, predictions: Iterable[Prediction], *, writer: str = "main") -> None:
        """Append predictions; they have left this process when this returns, and reach the disk within seconds.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(f"predictions/{part}.{writer}.jsonl", predictions)

    def _append(self, name: str, rows: Iterable[Row]) -> None:
        lines = encode_rows(rows)
        with _writing(self.path / name):
            if name not in self._files:
                self._files[name] = (self.path / name).open("ab", buffering=0)
            while lines:
                lines = lines[self._files[name].write(lines) :]
            if monotonic() - self._synced > SYNC_SECONDS:
                self._sync()

    def finish(self, scores: Mapping[str, Any], files: Mapping[str, str] | None = None) -> Path:
        """Write ``scores.json``, files of submissions and ``checksums.txt``.

        Args:
            scores: Entries as JSON objects, by protocol id.
            files: Content of further files by name.

        Returns:
            The path of ``scores.json``.

        Raises:
            StoreError: If the folder cannot be written.
        """
        path = self.path / "scores.json"
        with _writing(path):
            self._sync()
            _replace(path, json.dumps(scores, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            for name, content in (files or {}).items():
                _replace(self.path / name, content)
            signed = [self.path / "run.json", path, *(self.path / name for name in files or {})]
            signed += [*self.path.glob(JUDGE_FILES), *self.path.glob("events.jsonl")]
            signed += [*(self.path / "predictions").iterdir()]
            lines = [f"{_digest(file)}  {file.relative_to(self.path).as_posix()}" for file in sorted(signed)]
            _replace(self.path / "checksums.txt", "\n".join(lines) + "\n")
        return path

    def close(self, *, sync: bool) -> None:
        """Close the files, after bringing everything to the disk if ``sync``."""
        try:
            if sync:
                with _writing(self.path):
                    self._sync()
        finally:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _sync(self) -> None:
        for file in self._files.values():
            os.fsync(file.fileno())
        self._synced = monotonic()


@contextmanager
def open_run(root: Path, spec: RunSpec, recorded: Mapping[str, Any]) -> Generator[Run]:
    """Open the run of a spec below a folder of runs, making its folder if there is none yet.

    Args:
        root: The folder of runs.
        spec: What identifies the run.
        recorded: Beside the spec in ``run.json``, without identifying the run: library versions, hardware, command.

    Raises:
        SpecMismatchError: If the folder holds another spec.
        StoreError: If the folder cannot be written, or another process is at work in it.
    """
    path = root / str(spec.model["name"]) / spec.id
    with _writing(path):
        (path / "predictions").mkdir(parents=True, exist_ok=True)
    with _locked(path):
        _claim(path / "run.json", spec, recorded)
        with _opened(path, spec) as run:
            yield run


@contextmanager
def reopen_run(path: Path) -> Generator[Run]:
    """Open the run that a folder holds, wherever the folder lies now and whatever it is called.

    Raises:
        StoreError: If the folder holds no run or one of another version, cannot be written, or another process is at
            work in it.
    """
    spec = read_run(path).spec
    with _locked(path), _opened(path, spec) as run:
        yield run


def read_run(path: Path) -> RunFile:
    """The spec of a run folder and what is recorded beside it.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
    """
    spec, recorded = _read_run_file(path / "run.json")
    return RunFile(RunSpec.from_json(spec), recorded)


def _read_run_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
        return content["spec"], content["recorded"]
    except OSError as error:
        raise StoreError(f"{path.parent} is no run folder: no run.json in it ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error})") from error


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with _writing(path):
        lock = (path / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"another process is at work in {path}; wait for it or stop it") from error
        yield


@contextmanager
def _opened(path: Path, spec: RunSpec) -> Generator[Run]:
    for file in [*(path / "predictions").glob("*.jsonl"), *path.glob(JUDGE_FILES), *path.glob("events.jsonl")]:
        _cut_broken_line(file)
    run = Run(path, spec)
    finished = False
    try:
        yield run
        finished = True
    finally:
        run.close(sync=finished)


def _claim(file: Path, spec: RunSpec, recorded: Mapping[str, Any]) -> None:
    with _writing(file):
        if not file.exists():
            content = {"id": spec.id, "spec": json.loads(spec.canonical()), "recorded": dict(recorded)}
            _replace(file, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            return
    before, _ = _read_run_file(file)
    now = json.loads(spec.canonical())
    if before != now:
        differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        raise SpecMismatchError(
            f"{file} holds another run: {', '.join(differ)} differ; nothing was written; "
            "use another --out, or move it away"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _cut_broken_line(file: Path) -> None:
    with _writing(file):
        content = file.read_bytes()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            with file.open("r+b") as handle:
                handle.truncate(end)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; what was written before is kept") from error
