"""Tables of gallery scores in a run folder: ``<part>.<writer>.npy`` beside the predictions of the part.

Each writer has a table of its own with a row per sample; a row counts where the latest prediction of its sample is by
that writer.
"""

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
from egobench.run.store import MAIN, Run
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

    Raises:
        StoreError: On use, if the table cannot be written, or holds another one.
    """

    def __init__(
        self, run: Run, part: Part, *, dtype: type[np.floating] = np.float32, to_row: ToRow = plain_row
    ) -> None:
        self._run, self._part, self._dtype = run, part, dtype
        self._lines = LineRecorder(run, part.name)
        self._own_table: np.memmap | None = None
        self._to_row = to_row
        self._rows = {sample.id: (row, sample) for row, sample in enumerate(part.selected)}

    def kept(self) -> PredictionsByOrder:
        """Predictions whose row is there, where they need one."""
        predictions = self._lines.kept().get(0, {})
        tables = self._tables()
        return {
            0: {
                sample_id: prediction
                for sample_id, prediction in predictions.items()
                if prediction.outcome != "answered" or tables.holds(self._rows[sample_id][0])
            }
        }

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Write the scores of answers to their rows, and the predictions without them to their lines."""
        lines: list[Prediction] = []
        table, replaces = self._table(), False
        # A row that is written before its line would make a signed folder look edited.
        self._run.unsign()
        for prediction in predictions:
            row, sample = self._rows[prediction.id]
            scores, line = self._split(sample, prediction)
            if not np.isnan(table[row]).any():
                replaces = True
                table[row] = np.nan
            if scores is not None:
                table[row] = scores
            lines.append(line)
        # A row that is lost with the power is still NaN on disk, and asked again. A row that replaces another would be
        # the old one there, so it is brought to the disk before the line that speaks of it.
        if replaces:
            self.flush()
        self._lines.write(lines)

    def renew(self, prediction: Prediction) -> None:
        """Append a kept prediction again; its row stays, or is copied from the table of another writer."""
        row = self._rows[prediction.id][0]
        scores = self._tables().row(row)
        if scores is not None:
            self._table()[row] = scores
        self._lines.renew(prediction)

    def flush(self) -> None:
        """Bring all rows to the disk."""
        if self._own_table is not None:
            self._own_table.flush()

    def _tables(self) -> WriterTables:
        return WriterTables(self._run, self._part.name, list(self._rows), len(self._part.sample_set.gallery))

    def _table(self) -> np.memmap:
        """The table of this process; made when it is first written to."""
        if self._own_table is None:
            shape = len(self._part.selected), len(self._part.sample_set.gallery)
            self._own_table = _open_table(table_path(self._run, self._part.name, self._run.writer), shape, self._dtype)
        return self._own_table

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
        StoreError: If a file is damaged.
    """
    tables = WriterTables(run, part.name, [sample.id for sample in part.selected], len(part.sample_set.gallery))
    places = [place for place, sample in enumerate(part.selected) if sample.id in predictions]
    samples = [part.selected[place] for place in places]
    scores = tables.merged(places)
    outcomes: list[Outcome] = [predictions[sample.id].outcome for sample in samples]
    for row, outcome in enumerate(outcomes):
        if outcome == "answered" and np.isnan(scores[row]).any():
            path = tables.path(places[row])
            raise StoreError(f"{path}: the scores of sample {samples[row].id!r} are gone; run the command again")
    return ScoreTable(scores, TableSamples(samples, outcomes))


class WriterTables:
    """The tables of all writers of a part, each opened when it is first needed.

    Args:
        run: The run folder.
        part: Name of a part with a gallery.
        ids: The sample of each row.
        n_items: Texts of the gallery.
    """

    def __init__(self, run: Run, part: str, ids: Sequence[str], n_items: int) -> None:
        self._run, self._part, self._ids, self._n_items = run, part, ids, n_items
        self._tables: dict[Path, np.memmap | None] = {}
        self._writers: dict[str, str] = {}
        latest: dict[str, Prediction] = {}
        for writer, by_order in run.predictions_by_writer(part).items():
            for sample_id, prediction in by_order.get(0, {}).items():
                if sample_id not in latest or prediction.precedence > latest[sample_id].precedence:
                    latest[sample_id], self._writers[sample_id] = prediction, writer

    def path(self, row: int) -> Path:
        """The table that holds a row."""
        return table_path(self._run, self._part, self._writers.get(self._ids[row], MAIN))

    def row(self, row: int) -> np.ndarray | None:
        """The scores of a sample, ``(n_items,)``; ``None`` where there is no table.

        Raises:
            StoreError: If the table is damaged.
        """
        path = self.path(row)
        if path not in self._tables:
            shape = len(self._ids), self._n_items
            self._tables[path] = read_table(path, shape) if path.is_file() else None
        table = self._tables[path]
        return None if table is None else table[row]

    def holds(self, row: int) -> bool:
        """Whether all scores of a sample are there.

        Raises:
            StoreError: If the table is damaged.
        """
        scores = self.row(row)
        return scores is not None and not np.isnan(scores).any()

    def merged(self, places: Sequence[int]) -> np.ndarray:
        """The scores of samples, ``(n_samples, n_items)``; NaN where there are none.

        Args:
            places: The samples' rows, ascending.

        Raises:
            StoreError: If a table is damaged.
        """
        rows = [self.row(place) for place in places]
        tables = [table for table in self._tables.values() if table is not None]
        if len(tables) == 1 and len(places) == len(tables[0]):
            # Not copied: a gallery of 10,000 clips and 4,000 texts is 160 MB.
            return tables[0]
        scores = np.full((len(places), self._n_items), np.nan, tables[0].dtype if tables else np.float32)
        for place, row in enumerate(rows):
            if row is not None:
                scores[place] = row
        return scores


def table_path(run: Run, part: str, writer: str = MAIN) -> Path:
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
