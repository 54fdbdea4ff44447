"""Recorders: where the loop writes the predictions of one part, and what it finds there when it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from egobench.run.records import Prediction, PredictionsByOrder
from egobench.run.store import Run


class Recorder(Protocol):
    """Keeps the predictions of one part of a run."""

    def kept(self) -> PredictionsByOrder:
        """Predictions that are complete on disk, by order of the options and sample id."""
        ...

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Append predictions; they survive the death of this process.

        Raises:
            StoreError: If the run folder cannot be written.
        """
        ...

    def renew(self, prediction: Prediction) -> None:
        """Append a kept prediction again, whose video has another fingerprint and the same frames.

        Raises:
            StoreError: If the run folder cannot be written.
        """
        ...

    def flush(self) -> None:
        """Bring everything to the disk.

        Raises:
            StoreError: If the run folder cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class LineRecorder:
    """Keeps predictions as JSON lines alone.

    Attributes:
        run: The run folder.
        part: Name of the part.
        writer: Name of whoever writes; two writers never share a file.
    """

    run: Run
    part: str
    writer: str = "main"

    def kept(self) -> PredictionsByOrder:
        """Predictions that are complete on disk, by order of the options and sample id."""
        return self.run.predictions_by_order(self.part)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Append predictions."""
        self.run.append(self.part, predictions, writer=self.writer)

    def renew(self, prediction: Prediction) -> None:
        """Append a kept prediction again."""
        self.write([prediction])

    def flush(self) -> None:
        """Leave it to the run, which brings its lines to the disk every few seconds and when it is closed."""
