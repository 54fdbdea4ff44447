"""Recorders: where the loop writes the predictions of one part, and what it finds there when it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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


class LineRecorder:
    """Keeps predictions as JSON lines alone.

    Args:
        run: The run folder.
        part: Name of the part.
    """

    def __init__(self, run: Run, part: str) -> None:
        self._run, self._part = run, part
        self._revisions: dict[tuple[int, str], int] = {}

    def kept(self) -> PredictionsByOrder:
        """Predictions that are complete on disk, by order of the options and sample id."""
        kept = self._run.predictions_by_order(self._part)
        self._revisions = {
            (order, sample_id): prediction.revision
            for order, by_id in kept.items()
            for sample_id, prediction in by_id.items()
        }
        return kept

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Append predictions; those of samples that have one replace it, whoever wrote that."""
        self._run.append(self._part, [self._revised(prediction) for prediction in predictions])

    def renew(self, prediction: Prediction) -> None:
        """Append a kept prediction again."""
        self.write([prediction])

    def flush(self) -> None:
        """Leave it to the run, which brings its lines to the disk as it appends and when it is closed."""

    def _revised(self, prediction: Prediction) -> Prediction:
        revision = self._revisions.get((prediction.order, prediction.id))
        return prediction if revision is None else replace(prediction, revision=revision + 1)
