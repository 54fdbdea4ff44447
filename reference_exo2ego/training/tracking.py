"""The log of a training: records, and the sinks that they go to."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from egobench.errors import JsonInputError, TrainingError, bare_reason, install_command
from egobench.json_input import parse_json
from egobench.validation import first_fault
from egobench.whole_file import replace_file

Kind = Literal["step", "validation", "captions", "scores", "end", "checkpoint", "note"]
"""What a record is about."""

LOG = "log.jsonl"

WANDB_ID = "wandb.txt"
"""The file with the id of a training's run at Weights & Biases."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of the log.

    Attributes:
        kind: What it is about.
        stage: Name of the stage.
        step: Number of its steps that were taken.
        values: Numbers, texts and lists, by name.
    """

    kind: Kind
    stage: str
    step: int
    values: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object, with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {"kind": self.kind, "stage": self.stage, "step": self.step, "time": now, **self.values}

    @property
    def numbers(self) -> dict[str, float]:
        """The values that are numbers."""
        return {
            name: float(value)
            for name, value in self.values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


class Sink(Protocol):
    """A destination of records."""

    def write(self, record: LogRecord) -> None:
        """Take a record."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class JsonLines:
    """Writes records as lines of a file, behind those that are there.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_broken_line(path)
        self._path, self._file = path, path.open("a", encoding="utf-8")

    def write(self, record: LogRecord) -> None:
        """Write a line.

        Raises:
            TrainingError: If there is no room.
        """
        try:
            self._file.write(json.dumps(record.to_json()) + "\n")
            self._file.flush()
        except OSError as error:
            raise TrainingError(
                f"{self._path}: cannot be written ({error.strerror}); make room and start again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard:
    """Writes numbers and captions as TensorBoard's events.

    Args:
        folder: Folder of the events.

    Raises:
        TrainingError: If tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TrainingError(f"tensorboard is not installed ({error}); " + install_command("train")) from error
        self._writer: Any = SummaryWriter(str(folder))

    def write(self, record: LogRecord) -> None:
        """Write a record's numbers and captions."""
        for name, value in record.numbers.items():
            self._writer.add_scalar(f"{record.stage}/{record.kind}/{name}", value, record.step)
        for caption in record.values.get("captions", ()):
            self._writer.add_text(f"{record.stage}/captions", json.dumps(caption), record.step)

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()


class WeightsAndBiases:
    """Sends numbers to Weights & Biases; a training that is resumed goes on with its run there.

    Args:
        folder: Folder of its files.
        name: Name of the run there.
        settings: The recipe, as its configuration there.

    Raises:
        TrainingError: If wandb is not installed.
    """

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        try:
            library: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise TrainingError("wandb is not installed; pip install wandb, or leave --track wandb out") from error
        self._run: Any = library.init(
            project="exo2ego", name=name, dir=str(folder), config=dict(settings), id=wandb_id(folder), resume="allow"
        )
        self._stages: set[str] = set()

    def write(self, record: LogRecord) -> None:
        """Log a record's numbers over the steps of its stage; by itself it would count records."""
        if not record.numbers:
            return
        steps = f"{record.stage}/steps"
        if record.stage not in self._stages:
            self._stages.add(record.stage)
            self._run.define_metric(steps, hidden=True)
            self._run.define_metric(f"{record.stage}/*", step_metric=steps)
        numbers = {f"{record.stage}/{record.kind}/{name}": value for name, value in record.numbers.items()}
        self._run.log(numbers | {steps: record.step})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


def wandb_id(folder: Path) -> str:
    """Return the id of a training's run at Weights & Biases: drawn once, and kept in the training's folder.

    A path would not do: trainings on two machines may have the same one, and a folder may move.

    Args:
        folder: Folder of the training.

    Raises:
        TrainingError: If the id cannot be read or written.
    """
    named = os.environ.get("WANDB_RUN_ID")
    if named:
        return named
    path = folder / WANDB_ID
    try:
        if not path.is_file():
            replace_file(path, uuid4().hex + "\n")
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{path}: cannot be read or written ({bare_reason(error)}); make room, or delete it for another run there"
        ) from error


@dataclass(frozen=True, slots=True)
class Tracker:
    """Sends records to all sinks.

    Attributes:
        sinks: The sinks; none on any process but the first.
    """

    sinks: Sequence[Sink] = ()

    def record(self, kind: Kind, stage: str, step: int, **values: Any) -> None:
        """Send a record.

        Args:
            kind: What it is about.
            stage: Name of the stage.
            step: Number of its steps that were taken.
            values: Numbers, texts and lists, by name.
        """
        if self.sinks:
            record = LogRecord(kind, stage, step, values)
            for sink in self.sinks:
                sink.write(record)

    def close(self) -> None:
        """Close all sinks."""
        for sink in self.sinks:
            sink.close()


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    kind: str
    stage: str
    step: int = Field(ge=0)
    time: str = ""


class _Numbers(_Row):
    __pydantic_extra__: dict[str, float] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    loss: float


class _StepRow(_Numbers):
    steps: int
    clips: int
    unreadable: int
    seconds: float


class _Caption(BaseModel):
    prompt: str
    expected: str
    reply: str


class _CaptionRow(_Row):
    captions: list[_Caption]


class _Score(BaseModel):
    value: float | None
    chance: float | None
    n: int


class _ScoreRow(_Row):
    scores: dict[str, _Score]


class _NoteRow(_Row):
    note: str


_ROWS: Final[Mapping[str, type[_Row]]] = {
    "step": _StepRow,
    "validation": _Numbers,
    "captions": _CaptionRow,
    "scores": _ScoreRow,
    "note": _NoteRow,
}


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a log; a last line without an end is left out.

    Raises:
        TrainingError: If the file cannot be read, or a line is no record.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror}); check disk and permissions") from error
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            row: Any = parse_json(line, f"line {number}")
            kind: Any = row.get("kind") if isinstance(row, dict) else None
            _ROWS.get(str(kind), _Row).model_validate(row)
        except JsonInputError as error:
            raise _damaged(path, str(error)) from error
        except ValidationError as error:
            raise _damaged(path, f"line {number}, {first_fault(error)}") from error
        yield row


def _damaged(path: Path, problem: str) -> TrainingError:
    return TrainingError(f"{path}: damaged ({problem}); delete the line, or copy the file again")


def _cut_broken_line(path: Path) -> None:
    """Cut off the line that a killed process left unfinished."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
