"""A retriever's best texts of a gallery, scored again by another model (PROTOCOL section 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np

from egobench.controls import limited, seed_of
from egobench.dataset.sampleset import SampleSet
from egobench.errors import ScoreFileError, StoreError
from egobench.retrieval.gallery import read_scores
from egobench.retrieval.tables import WriterTables
from egobench.run.plan import PartId
from egobench.run.spec import Rerank
from egobench.run.store import Run, read_run
from egobench.sample import Sample

TOP = 50
"""Texts per sample that are scored again where nothing else is said (PROTOCOL section 2.5)."""

LIFT = 1e6
"""How far above a retriever's best score the scores of its top texts are put: no log-likelihood goes as low. No score
of a retriever may be greater, so that the sum keeps the digits that matter, to 1e-9."""


@dataclass(frozen=True)
class Candidates:
    """A retriever's best texts of each sample of one set.

    Attributes:
        sample_set: The set.
        top: How many per sample.
        scores: The retriever's, ``(n_samples, n_items)``, a row of NaN where it has none.
        seed: Draws between equal scores, and the order in which texts are listed.
    """

    sample_set: SampleSet
    top: int
    scores: np.ndarray
    seed: int

    @cached_property
    def _row(self) -> dict[str, int]:
        return {sample.id: row for row, sample in enumerate(self.sample_set.samples)}

    @cached_property
    def _lift(self) -> float:
        """Put on top of re-scored texts; the same for all samples, so that their scores can still be compared."""
        return float(np.nanmax(self.scores)) + LIFT

    def covers(self, sample: Sample) -> bool:
        """Whether the retriever has scores of a sample."""
        return not np.isnan(self.scores[self._row[sample.id]]).any()

    def columns(self, sample: Sample) -> list[int]:
        """Columns of a covered sample's best texts, in a drawn order."""
        scores = np.asarray(self.scores[self._row[sample.id]])
        lots = Random(seed_of(replace(sample, subset="rerank"), self.seed))  # noqa: S311 - reproducible, not secret
        lowest = np.partition(scores, -self.top)[-self.top] if self.top < len(scores) else scores.min()
        columns = np.flatnonzero(scores > lowest).tolist()
        level: list[int] = np.flatnonzero(scores == lowest).tolist()
        columns += lots.sample(level, min(self.top - len(columns), len(level)))
        lots.shuffle(columns)
        return columns

    def with_options(self, sample: Sample) -> Sample:
        """A covered sample with its best texts as options."""
        gallery = self.sample_set.gallery
        return replace(sample, options=tuple(gallery[column].text for column in self.columns(sample)))

    def row(self, sample: Sample, scores: Sequence[float]) -> np.ndarray | None:
        """The retriever's scores with new ones on top of them; ``None`` if a score cannot be put there.

        Args:
            sample: The sample.
            scores: One per option of :meth:`with_options`.
        """
        if not all(-LIFT < score < np.inf for score in scores):
            return None
        row = np.array(self.scores[self._row[sample.id]], np.float64)
        row[self.columns(sample)] = np.asarray(scores) + self._lift
        return row


def read_retriever(path: Path, sets: Sequence[SampleSet], top: int) -> Rerank:
    """Read a retriever's scores of galleries.

    Args:
        path: The folder of a run over the same sets, or a ``.npy`` or ``.npz`` file about one set.
        sets: Sample sets with galleries.
        top: How many of the best are scored again.

    Raises:
        ScoreFileError: If there is nothing, or a file that does not fit the set, or there is more than one set.
        StoreError: If the folder holds no run, or a run without scores of these sets.
    """
    if not path.exists():
        raise ScoreFileError(f"{path}: neither a run folder nor a file of scores is there")
    if path.is_dir():
        tables = _run_tables(path, sets)
    elif len(sets) > 1:
        names = ", ".join(sample_set.name for sample_set in sets)
        raise ScoreFileError(f"{path} holds the scores of one set, and there are {names}; choose with --tasks")
    else:
        tables = {sample_set.name: _file_table(path, sample_set) for sample_set in sets}
    return Rerank(top, {name: _table_hash(table) for name, table in tables.items()}, tables)


def _file_table(path: Path, sample_set: SampleSet) -> np.ndarray:
    scores, expected = read_scores(path, sample_set), (len(sample_set.samples), len(sample_set.gallery))
    if scores.shape != expected or scores.dtype.kind != "f":
        raise ScoreFileError(
            f"{path} is {scores.dtype} {scores.shape}; {sample_set.name} takes floats (samples, gallery) = {expected}"
        )
    if not np.isfinite(scores).all():
        raise ScoreFileError(f"{path}: a score is not a finite number; a retriever ranks every text of every sample")
    if np.abs(scores).max() > LIFT:
        raise ScoreFileError(f"{path}: a score is beyond {LIFT:,.0f}; divide all of them by the same number")
    return scores


def _run_tables(path: Path, sets: Sequence[SampleSet]) -> dict[str, np.ndarray]:
    run = Run(path, read_run(path).spec)
    return {sample_set.name: _run_table(run, sample_set) for sample_set in sets}


def _run_table(run: Run, sample_set: SampleSet) -> np.ndarray:
    manifest = sample_set.manifest
    part = PartId(manifest.task, "all", "gallery", manifest.construction).file_stem
    predictions = run.predictions(part)
    if manifest.sha256 not in {ref.sha256 for ref in run.spec.sets} or not predictions:
        raise StoreError(
            f"{run.path} holds no gallery scores of {sample_set.name}; expected a finished run of a dual encoder over "
            "the same sample set, or choose another with --tasks"
        )
    selected = [sample.id for sample in limited(sample_set.samples, run.spec.limit, run.spec.seed)]
    waiting = sum(sample_id not in predictions for sample_id in selected)
    if waiting:
        raise StoreError(
            f"{run.path} is not finished: {waiting} clips of {sample_set.name} wait; run its command again"
        )
    tables = WriterTables(run, part, selected, len(sample_set.gallery))
    scores = tables.merged(range(len(selected)))
    row = {sample.id: number for number, sample in enumerate(sample_set.samples)}
    table = np.full((len(sample_set.samples), len(sample_set.gallery)), np.nan, scores.dtype)
    for number, sample_id in enumerate(selected):
        if predictions[sample_id].outcome == "answered":
            table[row[sample_id]] = scores[number]
            if np.isnan(scores[number]).any():
                path = tables.path(number)
                raise StoreError(f"{path}: the scores of sample {sample_id!r} are gone; run its command again")
    return table


def _table_hash(table: np.ndarray) -> str:
    little = np.ascontiguousarray(table).astype(table.dtype.newbyteorder("<"), copy=False)
    digest = sha256(f"{little.dtype.str} {little.shape}".encode())
    for row in little:
        digest.update(row.tobytes())
    return digest.hexdigest()
