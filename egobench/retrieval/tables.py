"""The rows of a gallery's scores in a run folder: ``<part>.main.npy`` beside the predictions of the part."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from egobench.errors import StoreError
from egobench.metrics import Outcome
from egobench.retrieval.gallery import Scored
from egobench.run.store import Prediction, Run
from egobench.sample import Sample
from egobench.scoring.score import Part

if TYPE_CHECKING:
    from egobench.retrieval.rerank import Candidates


class Rows:
    """The scores of one part on disk: a row for every sample that is asked, NaN until it has an answer."""

    def __init__(self, path: Path, part: Part, candidates: Candidates | None) -> None:
        shape = len(part.asked), len(part.sample_set.gallery)
        self.scores = _open_table(path, shape, np.float64 if candidates else np.float32)
        self.candidates = candidates
        self._samples = {sample.id: (place, sample) for place, sample in enumerate(part.asked)}

    def kept(self, done: Mapping[str, Prediction]) -> dict[str, Prediction]:
        """Predictions whose row is there, where they need one."""
        return {
            name: one
            for name, one in done.items()
            if one.outcome != "answered" or not np.isnan(self.scores[self._samples[name][0]]).any()
        }

    def lost(self, samples: Iterable[Sample]) -> list[Prediction]:
        """Samples whose texts cannot be scored again, because the retriever has no scores of them."""
        if self.candidates is None:
            return []
        lost = [sample for sample in samples if not self.candidates.known(sample)]
        return [Prediction(sample.id, "request_error", error="the retriever has no scores of it") for sample in lost]

    def keep(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Write the scores of answers to their rows; the row of a sample without an answer is NaN.

        Returns:
            The predictions without their scores.
        """
        kept: list[Prediction] = []
        replaced = False
        for one in predictions:
            place, sample = self._samples[one.id]
            row, told = self._row(sample, one)
            if not np.isnan(self.scores[place]).any():
                replaced = True
                self.scores[place] = np.nan
            if row is not None:
                self.scores[place] = row
            kept.append(told)
        # A row that is lost with the power is still NaN on disk, and asked again. One that replaces another would be
        # the old one there, so it is brought to the disk before the line that speaks of it.
        if replaced:
            self.flush()
        return kept

    def flush(self) -> None:
        """Bring all rows to the disk."""
        self.scores.flush()

    def _row(self, sample: Sample, one: Prediction) -> tuple[np.ndarray | None, Prediction]:
        """The row of an answer, ``None`` where there is none, and the prediction without its scores."""
        told = replace(one, scores=None, choice=None)
        if one.scores is None:
            return None, told
        row = self.candidates.row(sample, one.scores) if self.candidates else np.array(one.scores, np.float32)
        if row is None or not np.isfinite(row).all():
            error = "a score is not a finite number"
            return None, replace(told, outcome="request_error", rule="", error=error)
        return row, told


def open_rows(run: Run, part: Part, candidates: Candidates | None) -> Rows | None:
    """The rows of a part's scores, as far as they are there; ``None`` for a part without a gallery.

    Raises:
        StoreError: If the file cannot be written, or holds another table.
    """
    if not part.sample_set.gallery:
        return None
    return Rows(rows_file(run, part.name), part, candidates)


def read_rows(run: Run, part: Part) -> tuple[np.ndarray, Scored]:
    """The scores of a part in a run folder: of all samples that were asked.

    Raises:
        StoreError: If the file is damaged.
    """
    path, answers = rows_file(run, part.name), run.predictions(part.name)
    asked = [(place, sample) for place, sample in enumerate(part.asked) if sample.id in answers]
    shape = len(part.asked), len(part.sample_set.gallery)
    scores = read_table(path, shape) if path.is_file() else np.full(shape, np.nan, np.float32)
    held = scores if len(asked) == len(scores) else scores[[place for place, _ in asked]]
    samples = [sample for _, sample in asked]
    outcomes: list[Outcome] = [answers[sample.id].outcome for sample in samples]
    for row, outcome in enumerate(outcomes):
        if outcome == "answered" and np.isnan(held[row]).any():
            raise StoreError(f"{path}: the scores of sample {samples[row].id!r} are gone; run the command again")
    return held, Scored(samples, outcomes, part.protocol_id)


def rows_file(run: Run, part: str) -> Path:
    """Where a part's rows are."""
    return run.path / "predictions" / f"{part}.main.npy"


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


def read_table(path: Path, shape: tuple[int, int], mode: Literal["r", "r+"] = "r") -> np.memmap:
    """A table of scores on disk, mapped.

    Raises:
        StoreError: If it is damaged, or of another shape.
    """
    try:
        # Mapped for writing, a file that is too short would be filled up with zeros.
        rows = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as error:
        raise StoreError(f"{path}: not a whole table of scores ({error}); delete it to ask again") from error
    if rows.shape != shape:
        raise StoreError(
            f"{path} is a table of {rows.shape}; expected (asked, gallery) = {shape}; delete it to ask again"
        )
    return rows if mode == "r" else np.lib.format.open_memmap(path, mode=mode)
