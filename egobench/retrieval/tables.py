"""Tables of gallery scores in a run folder: ``<part>.<writer>.npy`` beside the predictions of the part."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from egobench.errors import StoreError
from egobench.metrics import Outcome
from egobench.run.plan import Part
from egobench.run.recorder import LineRecorder
from egobench.run.records import Prediction, PredictionsByOrder
from egobench.run.store import Run
from egobench.sample import Sample

ToRow = Callable[[Sample, Sequence[float]], "np.ndarray | None"]
"""From a sample and the scores of its answer to the row of the table, ``(n_items,)``; ``None`` where there is none."""


def plain_row(sample: Sample, scores: Sequence[float]) -> np.ndarray:  # noqa: ARG001 - every row is made alike
    """The scores as they are, one number per text of the gallery."""
    return np.array(scores, np.float32)


class TableRecorder:
    """Keeps predictions as JSON lines, and their scores as rows of a table that is NaN where there is no answer yet.

    Args:
        run: The run folder.
        part: A part with a gallery.
        dtype: Number format of the table.
        to_row: From an answer's scores to its row.
        writer: Name of whoever writes; two writers never share a file.

    Raises:
        StoreError: If the table cannot be written, or holds another one.
    """

    def __init__(
        self,
        run: Run,
        part: Part,
        *,
        dtype: type[np.floating] = np.float32,
        to_row: ToRow = plain_row,
        writer: str = "main",
    ) -> None:
        shape = len(part.selected), len(part.sample_set.gallery)
        self._run = run
        self._lines = LineRecorder(run, part.name, writer)
        self._table = _open_table(table_path(run, part.name, writer), shape, dtype)
        self._to_row = to_row
        self._rows = {sample.id: (row, sample) for row, sample in enumerate(part.selected)}

    def kept(self) -> PredictionsByOrder:
        """Predictions whose row is there, where they need one."""
        predictions = self._lines.kept().get(0, {})
        return {
            0: {
                sample_id: prediction
                for sample_id, prediction in predictions.items()
                if prediction.outcome != "answered" or not np.isnan(self._table[self._rows[sample_id][0]]).any()
            }
        }

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Write the scores of answers to their rows, and the predictions without them to their lines."""
        lines: list[Prediction] = []
        replaces = False
        # A row that is written before its line would make a signed folder look edited.
        self._run.unsign()
        for prediction in predictions:
            row, sample = self._rows[prediction.id]
            scores, line = self._split(sample, prediction)
            if not np.isnan(self._table[row]).any():
                replaces = True
                self._table[row] = np.nan
            if scores is not None:
                self._table[row] = scores
            lines.append(line)
        # A row that is lost with the power is still NaN on disk, and asked again. A row that replaces another would be
        # the old one there, so it is brought to the disk before the line that speaks of it.
        if replaces:
            self.flush()
        self._lines.write(lines)

    def renew(self, prediction: Prediction) -> None:
        """Append a kept prediction again; its row stays."""
        self._lines.renew(prediction)

    def flush(self) -> None:
        """Bring all rows to the disk."""
        self._table.flush()

    def _split(self, sample: Sample, prediction: Prediction) -> tuple[np.ndarray | None, Prediction]:
        """The row of an answer, ``None`` where there is none, and the prediction without its scores."""
        line = replace(prediction, scores=None, choice=None)
        if prediction.scores is None:
            return None, line
        row = self._to_row(sample, prediction.scores)
        if row is None or not np.isfinite(row).all():
            error = "a score is not a finite number"
            return None, replace(line, outcome="request_error", rule="", error=error)
        return row, line


@dataclass(frozen=True, slots=True)
class TableSamples:
    """The samples that the rows of a table of scores are about, and what became of them.

    Attributes:
        samples: In the order of the rows.
        outcomes: One per sample. A row counts as scores only where it is ``"answered"``.
    """

    samples: Sequence[Sample]
    outcomes: Sequence[Outcome]


class ScoreTable(NamedTuple):
    """A table of scores with what its rows are about.

    Attributes:
        scores: ``(n_samples, n_items)``.
        rows: The samples of the rows.
    """

    scores: np.ndarray
    rows: TableSamples


def read_score_table(run: Run, part: Part, predictions: Mapping[str, Prediction]) -> ScoreTable:
    """The scores of all samples of a part that were asked.

    Args:
        run: The run folder.
        part: A part with a gallery.
        predictions: The part's, by sample id.

    Raises:
        StoreError: If the file is damaged.
    """
    path = table_path(run, part.name)
    places = [place for place, sample in enumerate(part.selected) if sample.id in predictions]
    shape = len(part.selected), len(part.sample_set.gallery)
    scores = read_table(path, shape) if path.is_file() else np.full(shape, np.nan, np.float32)
    if len(places) < len(scores):
        scores = scores[places]
    samples = [part.selected[place] for place in places]
    outcomes: list[Outcome] = [predictions[sample.id].outcome for sample in samples]
    for row, outcome in enumerate(outcomes):
        if outcome == "answered" and np.isnan(scores[row]).any():
            raise StoreError(f"{path}: the scores of sample {samples[row].id!r} are gone; run the command again")
    return ScoreTable(scores, TableSamples(samples, outcomes))


def table_path(run: Run, part: str, writer: str = "main") -> Path:
    """Where the table of a part lies."""
    return run.path / "predictions" / f"{part}.{writer}.npy"


def read_table(path: Path, shape: tuple[int, int], mode: Literal["r", "r+"] = "r") -> np.memmap:
    """Map a table of scores on disk.

    Raises:
        StoreError: If it is damaged, or of another shape.
    """
    try:
        # Mapped for writing, a file that is too short would be filled up with zeros.
        table = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as error:
        raise StoreError(f"{path}: not a whole table of scores ({error}); delete it to ask again") from error
    if table.shape != shape:
        raise StoreError(
            f"{path} is a table of {table.shape}; expected (samples, gallery) = {shape}; delete it to ask again"
        )
    return table if mode == "r" else np.lib.format.open_memmap(path, mode=mode)


def _open_table(path: Path, shape: tuple[int, int], dtype: type[np.floating]) -> np.memmap:
    try:
        if not path.exists():
            new = path.with_name(f"{path.name}.part")
            header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
            # Written, not mapped: on a full disk a mapped file ends the process.
            with new.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for _ in range(shape[0]):
                    file.write(np.full(shape[1], np.nan, dtype).tobytes())
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        return read_table(path, shape, mode="r+")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; what was written before is kept") from error
