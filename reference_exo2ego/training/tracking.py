"""What a training says of itself: records, and the sinks that they go to."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from egobench.errors import TrainingError, install_command

Kind = Literal["step", "validation", "captions", "scores", "begin", "end", "checkpoint", "note"]
"""What a record is about."""

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """Something that happened.

    Attributes:
        kind: What it is about.
        stage: In which stage.
        step: After how many of its steps.
        values: What is to be said: numbers, texts, lists.
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
    """Where records go."""

    def write(self, record: LogRecord) -> None:
        """Take a record."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class JsonLines:
    """Records as lines of a file, added to what is there.

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
    """Numbers as TensorBoard's events, a run a stage.

    Args:
        folder: Where the events go.

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
    """Numbers to Weights & Biases.

    Args:
        folder: Where it keeps its files.
        name: What the run is called there.
        settings: The recipe.

    Raises:
        TrainingError: If wandb is not installed.
    """

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        try:
            library: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise TrainingError("wandb is not installed; pip install wandb, or leave --track wandb out") from error
        self._run: Any = library.init(
            project="exo2ego", name=name, dir=str(folder), config=dict(settings), resume="allow"
        )

    def write(self, record: LogRecord) -> None:
        """Log a record's numbers."""
        if record.numbers:
            self._run.log({f"{record.stage}/{record.kind}/{name}": value for name, value in record.numbers.items()})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


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
            stage: In which stage.
            step: After how many of its steps.
            values: What is to be said.
        """
        if self.sinks:
            record = LogRecord(kind, stage, step, values)
            for sink in self.sinks:
                sink.write(record)

    def close(self) -> None:
        """Close all sinks."""
        for sink in self.sinks:
            sink.close()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a log, as they were written; a broken last line is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _cut_broken_line(path: Path) -> None:
    """Take off the line that a killed process left unfinished."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
