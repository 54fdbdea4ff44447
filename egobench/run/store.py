"""The run folder: the spec of a run, its predictions, and the scores that follow from them.

::

    runs/<model>/<run id>/
        run.json          the spec, and beside it what is recorded but does not identify the run
        predictions/      <task>.<subset>.<protocol>.<construction>.<writer>.jsonl, a line per sample and
                          order of its options, appended; beside it, for a gallery, <the same>.npy, its scores
        events.jsonl      what a run had to do otherwise than it was told: batches that were too large;
                          events.<writer>.jsonl where several share the work
        judge.<name>.jsonl
                          what a judge replied about open answers, a line per reply, appended
        scores.json       one entry per protocol id, derived from the predictions and the judges' replies
        usage.json        what the answers took: requests, tokens, price; derived from the predictions
        submission.*      the choices as whoever holds private answers takes them, in files that the task names
        checksums.txt     SHA-256 of the files above, written last
        .lock, .locks/    who is at work here
        .decoding/        which files are being decoded, and which ones the process died of

A process that works alone writes as ``main``, those that share the work as ``worker-0``, ``worker-1`` and so on. A
prediction is one line that ends in a newline, so a process that is killed leaves at most one broken line at the end of
its files. It is never read, and cut off before anything is written behind it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, unquote

from egobench.errors import JsonInputError, SpecMismatchError, StoreError, bare_reason
from egobench.json_input import read_json
from egobench.run.checksums import CHECKSUMS, EVENT_FILES, JUDGE_FILES, check_signature, sign, writing
from egobench.run.finding import run_folder
from egobench.run.locks import alone, in_turn, together, writer_name
from egobench.run.records import (
    Event,
    JudgeReply,
    Prediction,
    PredictionFiles,
    Row,
    ScoredRow,
    cut_broken_line,
    encode_rows,
    read_rows,
)
from egobench.run.spec import RunSpec
from egobench.whole_file import replace_file

if TYPE_CHECKING:
    import pandas as pd

MAIN = "main"
"""Name under which a process writes that works alone."""

SYNC_SECONDS = 5.0
"""An append brings all files to the disk if that was last done more than this ago."""


class RunFile(NamedTuple):
    """The content of ``run.json``.

    Attributes:
        spec: What identifies the run.
        recorded: What is kept beside it: library versions, hardware, command, folder of sample sets.
    """

    spec: RunSpec
    recorded: Mapping[str, Any]


class Run:
    """One run folder, open in one process, or in several of which each writes to files of its own.

    Args:
        path: The folder.
        spec: What identifies the run.
        writer: Name under which this process writes.
    """

    def __init__(self, path: Path, spec: RunSpec, writer: str = MAIN) -> None:
        self.path = path
        self.spec = spec
        self.writer = writer
        self._signed = True
        self._files: dict[str, FileIO] = {}
        self._predictions = PredictionFiles(path / "predictions")
        self._synced = monotonic()

    @property
    def events(self) -> Path:
        """The file of this process's events."""
        return self.path / ("events.jsonl" if self.writer == MAIN else f"events.{self.writer}.jsonl")

    def predictions(self, part: str) -> dict[str, Prediction]:
        """Predictions of one part so far, by sample id, with the options in the sample's own order.

        Args:
            part: ``<task>.<subset>.<protocol>.<construction>``.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return self.predictions_by_order(part).get(0, {})

    def predictions_by_order(self, part: str) -> dict[int, dict[str, Prediction]]:
        """Predictions of one part so far, by order of the options and sample id; of several writers' the latest.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return self._predictions.by_order(part)

    def predictions_by_writer(self, part: str) -> dict[str, dict[int, dict[str, Prediction]]]:
        """Predictions of one part so far, by writer, order of the options and sample id; the last line of each counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return self._predictions.by_writer(part)

    def scored_rows(self, part: str) -> Iterator[ScoredRow]:
        """What scores over options need of :meth:`predictions`, read in half the time; a sample's last row counts.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        return self._predictions.scored_rows(part)

    def to_frame(self) -> pd.DataFrame:
        """All predictions as a table: one row per sample and order of the options, with the part that it is of.

        Raises:
            StoreError: If a line other than the last is damaged.
        """
        import pandas as pd  # noqa: PLC0415 - for notebooks; the command line stays light

        parts = sorted({path.name.rsplit(".", 2)[0] for path in (self.path / "predictions").glob("*.jsonl")})
        return pd.DataFrame(
            {"part": part, **asdict(prediction)}
            for part in parts
            for by_id in self.predictions_by_order(part).values()
            for prediction in by_id.values()
        )

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
        self._append(self.events.name, [event])

    def append(self, part: str, predictions: Iterable[Prediction]) -> None:
        """Append predictions; they have left this process when this returns.

        They are brought to the disk by the first append after :data:`SYNC_SECONDS`, or by the end of the run.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(f"predictions/{part}.{self.writer}.jsonl", predictions)

    def _append(self, name: str, rows: Iterable[Row]) -> None:
        lines = encode_rows(rows)
        self.unsign()
        with writing(self.path / name):
            if name not in self._files:
                self._files[name] = (self.path / name).open("ab", buffering=0)
            while lines:
                lines = lines[self._files[name].write(lines) :]
            if monotonic() - self._synced > SYNC_SECONDS:
                self._sync()

    def unsign(self) -> None:
        """Remove the checksums, because what they are of is about to change.

        Raises:
            StoreError: If the folder cannot be written.
        """
        if self._signed:
            with writing(self.path / CHECKSUMS):
                (self.path / CHECKSUMS).unlink(missing_ok=True)
            self._signed = False

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
        with writing(path):
            self._sync()
            replace_file(path, json.dumps(scores, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            for name, content in (files or {}).items():
                replace_file(self.path / name, content)
            sign(self.path, [path, *(self.path / name for name in files or {})])
            self._signed = True
        return path

    def close(self, *, sync: bool) -> None:
        """Close the files, after bringing everything to the disk if ``sync``."""
        try:
            if sync:
                with writing(self.path):
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
        ChecksumError: If a file was changed since it was signed.
        StoreError: If the folder cannot be written.
        BusyRunError: If another process is at work in it.
        ValueError: If the model's name leads out of the folder of runs.
    """
    path = _make_folder(root, spec)
    with alone(path):
        check_signature(path, complete=False)
        _claim(path / "run.json", spec, recorded)
        with _opened(Run(path, spec), path.glob("predictions/*.jsonl")) as run:
            yield run


@contextmanager
def join_run(root: Path, spec: RunSpec, recorded: Mapping[str, Any]) -> Generator[Run]:
    """Open the run of a spec as one of several processes that share its work.

    Args:
        root: The folder of runs.
        spec: What identifies the run.
        recorded: See :func:`open_run`.

    Raises:
        SpecMismatchError: If the folder holds another spec.
        ChecksumError: If a file was changed since it was signed.
        StoreError: If the folder cannot be written.
        BusyRunError: If a process works in it alone.
        ValueError: If the model's name leads out of the folder of runs.
    """
    path = _make_folder(root, spec)
    with together(path), writer_name(path) as writer:
        run = Run(path, spec, writer)
        with in_turn(path):
            check_signature(path, complete=False)
            # At once, and not with the first prediction: whoever joins meanwhile would find files other than signed.
            run.unsign()
            _claim(path / "run.json", spec, recorded)
        with _opened(run, path.glob(f"predictions/*.{writer}.jsonl")):
            yield run


@contextmanager
def reopen_run(path: Path, *, accept_changes: bool = False, patience: float = 0.0) -> Generator[Run]:
    """Open the run that a folder holds, wherever the folder lies now and whatever it is called.

    Args:
        path: The run folder.
        accept_changes: Open it although a file was changed since it was signed.
        patience: Seconds to wait for other processes that are at work in it.

    Raises:
        ChecksumError: If a file was changed since it was signed.
        ReadOnlyRunError: If the folder cannot be written.
        StoreError: If the folder holds no run or one of another version, or cannot be written.
        BusyRunError: If another process is at work in it.
    """
    spec = read_run(path).spec
    with alone(path, patience=patience):
        if not accept_changes:
            check_signature(path)
        with _opened(Run(path, spec), path.glob("predictions/*.jsonl")) as run:
            yield run


def read_run(path: Path) -> RunFile:
    """The spec of a run folder and what is recorded beside it.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
    """
    spec, recorded = _read_run_file(path / "run.json")
    return RunFile(RunSpec.from_json(spec, str(path / "run.json")), recorded)


def _read_run_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        content: Any = read_json(path.read_bytes(), str(path))
        spec, recorded = content["spec"], content["recorded"]
    except OSError as error:
        raise StoreError(f"{path.parent} is no run folder: no run.json in it ({error.strerror})") from error
    except JsonInputError as error:
        raise StoreError(f"{path} is damaged: {bare_reason(error)}") from error
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: no {error} in it; expected spec and recorded") from error
    if not isinstance(spec, dict) or not isinstance(recorded, dict):
        raise StoreError(f"{path} is damaged: spec and recorded are expected to be objects")
    return cast("dict[str, Any]", spec), cast("dict[str, Any]", recorded)


def _make_folder(root: Path, spec: RunSpec) -> Path:
    path = run_folder(root, spec)
    with writing(path):
        (path / "predictions").mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _opened(run: Run, predictions: Iterable[Path]) -> Generator[Run]:
    files = [*predictions]
    files += [*run.path.glob(JUDGE_FILES), *run.path.glob(EVENT_FILES)] if run.writer == MAIN else [run.events]
    for file in files:
        cut_broken_line(file)
    finished = False
    try:
        yield run
        finished = True
    finally:
        run.close(sync=finished)


def _claim(file: Path, spec: RunSpec, recorded: Mapping[str, Any]) -> None:
    if not file.exists():
        _write_run_file(file, spec, recorded)
        return
    before, kept = _read_run_file(file)
    now = json.loads(spec.canonical())
    if before != now:
        differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        raise SpecMismatchError(
            f"{file} holds another run: {', '.join(differ)} differ; nothing was written; "
            "use another --out, or move it away"
        )
    name = recorded.get("name", kept.get("name"))
    if name != kept.get("name"):
        (file.parent / CHECKSUMS).unlink(missing_ok=True)
        _write_run_file(file, spec, {**kept, "name": name})


def _write_run_file(file: Path, spec: RunSpec, recorded: Mapping[str, Any]) -> None:
    content = {"id": spec.id, "spec": json.loads(spec.canonical()), "recorded": dict(recorded)}
    with writing(file):
        replace_file(file, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
