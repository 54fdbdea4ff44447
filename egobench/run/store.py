"""The run folder: what was asked of which model, what it answered, and the scores that follow.

::

    runs/<model>/<run id>/
        run.json          the spec, and beside it what is recorded but does not identify the run
        predictions/      <task>.<subset>.<protocol>.<construction>.<writer>.jsonl, one line a sample, appended;
                          beside it, of a gallery, <the same>.npy, its scores
        scores.json       one entry a protocol id, derived from the predictions
        events.jsonl      what a run had to do otherwise than it was told: batches that were too large
        checksums.txt     SHA-256 of the other files, written last

A prediction is one line that ends in a newline, so a process that is killed leaves at most one broken line at the end
of a file; it is cut off when the run is opened again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from egobench.errors import SpecMismatchError, StoreError
from egobench.llm_judge.rubric import JudgeReply
from egobench.metrics import Outcome
from egobench.run.spec import RunSpec, spec_from_json

T = TypeVar("T")

JUDGES = "judge.*.jsonl"
"""What judges have said, a file a judge."""

SYNC_SECONDS = 5.0
"""Longest time a written prediction waits for ``fsync``."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What became of one sample: one line of a predictions file.

    Attributes:
        id: The sample's id.
        outcome: What became of it.
        reply: What the model wrote; ``""`` where it scored options or was never asked.
        choice: Position of the option it chose in the sample's own order; ``None`` for none or a tie.
        rule: How the reply was read.
        scores: One number an option in the sample's own order, ``None`` unless answered.
        error: Why there is no answer.
        receipt: Which frames it saw; ``None`` when it was shown none.
        video: Fingerprint of the video file; ``""`` when none was opened.
        seconds: Wall time of its share of the model's work; never part of a score.
        prompt_tokens: Tokens read, where known.
        reply_tokens: Tokens written, where known.
        order: By how many places the options were turned when they were shown.
        tries: How often the model was asked.
        cost: Price of the answer, where prices were given.
    """

    id: str
    outcome: Outcome
    reply: str = ""
    choice: int | None = None
    rule: str = ""
    scores: tuple[float, ...] | None = None
    error: str | None = None
    receipt: Mapping[str, Any] | None = None
    video: str = ""
    seconds: float = 0.0
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    order: int = 0
    tries: int = 1
    cost: float | None = None

    @property
    def final(self) -> bool:
        """Whether asking again is pointless: the model was asked and replied."""
        return self.outcome not in {"media_error", "request_error"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run and changes no answer: one line of ``events.jsonl``.

    Attributes:
        part: Of which part of the run.
        what: In a sentence.
    """

    part: str
    what: str


class Run:
    """One run folder, held by one process at a time."""

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
        return self.by_order(part).get(0, {})

    def by_order(self, part: str) -> dict[int, dict[str, Prediction]]:
        """Predictions of one part so far, by order of the options and sample id; the last line of each counts.

        Args:
            part: ``<task>.<subset>.<protocol>.<construction>``.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        found: dict[int, dict[str, Prediction]] = {}
        for path in sorted((self.path / "predictions").glob(f"{part}.*.jsonl")):
            for prediction in _lines(path, _prediction):
                found.setdefault(prediction.order, {})[prediction.id] = prediction
        return found

    def judgements(self) -> dict[str, dict[str, JudgeReply]]:
        """What judges have said about this run's open answers, by judge and key; the last line of each counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        found: dict[str, dict[str, JudgeReply]] = {}
        for path in sorted(self.path.glob(JUDGES)):
            model = unquote(path.name.removeprefix("judge.").removesuffix(".jsonl"))
            found[model] = {reply.key: reply for reply in _lines(path, lambda row: JudgeReply(**row))}
        return found

    def append_judgement(self, model: str, reply: JudgeReply) -> None:
        """Append what a judge said.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(f"judge.{quote(model, safe='')}.jsonl", [reply])

    def append_event(self, event: Event) -> None:
        """Append what happened.

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

    def _append(self, name: str, rows: Iterable[Prediction | JudgeReply | Event]) -> None:
        lines = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows).encode()
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
            scores: Entry by protocol id.
            files: Content by name, for a server that holds private answers.

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
            kept = [self.path / "run.json", path, *(self.path / name for name in files or {})]
            kept += [*self.path.glob(JUDGES), *self.path.glob("events.jsonl"), *(self.path / "predictions").iterdir()]
            lines = [f"{_digest(file)}  {file.relative_to(self.path).as_posix()}" for file in sorted(kept)]
            _replace(self.path / "checksums.txt", "\n".join(lines) + "\n")
        return path

    def close(self, *, sync: bool) -> None:
        """Let go of the files, after bringing everything to the disk if ``sync``."""
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
    spec = spec_from_json(read_run(path)[0])
    with _locked(path), _opened(path, spec) as run:
        yield run


def read_run(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The spec of a run folder and what is recorded beside it, both as JSON objects.

    Raises:
        StoreError: If the folder holds no run.
    """
    try:
        held = json.loads((path / "run.json").read_bytes())
        return held["spec"], held["recorded"]
    except OSError as error:
        raise StoreError(f"{path} is no run folder: no run.json in it ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path / 'run.json'} is damaged ({error})") from error


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
    for file in [*(path / "predictions").glob("*.jsonl"), *path.glob(JUDGES), *path.glob("events.jsonl")]:
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
    held, _ = read_run(file.parent)
    ours = json.loads(spec.canonical())
    if held != ours:
        differ = sorted(key for key in held.keys() | ours.keys() if held.get(key) != ours.get(key))
        raise SpecMismatchError(
            f"{file} holds another run: {', '.join(differ)} differ; nothing was written; "
            "use another --out, or move it away"
        )


def _prediction(row: dict[str, Any]) -> Prediction:
    row["scores"] = None if row["scores"] is None else tuple(row["scores"])
    return Prediction(**row)


def _lines(path: Path, make: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            yield make(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path}, line {number}: damaged ({error}); delete the line to ask again") from error


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
