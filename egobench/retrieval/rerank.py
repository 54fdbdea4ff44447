"""A retriever's best texts of a gallery, scored again by another model (PROTOCOL section 2.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np

from egobench.controls import limited, seed_of
from egobench.dataset.sampleset import SampleSet
from egobench.errors import ScoreFileError, StoreError
from egobench.retrieval.gallery import read_scores
from egobench.retrieval.tables import read_table, rows_file
from egobench.run.spec import spec_from_json
from egobench.run.store import Run, read_run
from egobench.sample import Sample
from egobench.scoring.score import Part

TOP = 50
"""Texts of each sample that are scored again where nothing else is said (PROTOCOL section 2.5)."""

LIFT = 1e6
"""How far above a retriever's best score the scores of its top texts are put: no log-likelihood goes as low. No score
of a retriever may be greater, so that the sum keeps the digits that matter, to 1e-9."""


@dataclass(frozen=True, slots=True)
class Rerank:
    """Which texts are scored again.

    Attributes:
        top: How many of a retriever's best for each sample.
        sha256: Hash of the retriever's scores, by name of the sample set.
        tables: The scores, ``(n_samples, n_items)`` by name of the sample set; a row of NaN where it has none. Not
            needed to score a run that was done.
    """

    top: int
    sha256: Mapping[str, str]
    tables: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray], compare=False, repr=False)

    def name(self, sample_set: str) -> str:
        """What follows the method in the id of a number."""
        return f"top{self.top}@{self.sha256[sample_set][:12]}"


@dataclass(frozen=True)
class Candidates:
    """A retriever's best texts of each sample of one set.

    Attributes:
        sample_set: The set.
        top: How many.
        scores: The retriever's, ``(n_samples, n_items)``, a row of NaN where it has none.
        seed: Draws between equal scores, and the order in which texts are listed.
    """

    sample_set: SampleSet
    top: int
    scores: np.ndarray
    seed: int

    @classmethod
    def of_part(cls, part: Part, rerank: Rerank | None, seed: int) -> Candidates | None:
        """Those of a part of a run; ``None`` where nothing is scored again."""
        if rerank is None:
            return None
        return cls(part.sample_set, rerank.top, rerank.tables[part.sample_set.name], seed)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {sample.id: place for place, sample in enumerate(self.sample_set.samples)}

    @cached_property
    def _lift(self) -> float:
        """Put on top of re-scored texts; the same for all samples, so that their scores can still be compared."""
        return float(np.nanmax(self.scores)) + LIFT

    def known(self, sample: Sample) -> bool:
        """Whether the retriever has scores of the sample."""
        return not np.isnan(self.scores[self._place[sample.id]]).any()

    def of(self, sample: Sample) -> list[int]:
        """Columns of the sample's best texts, in a drawn order; the retriever has to know it."""
        scores = np.asarray(self.scores[self._place[sample.id]])
        lots = Random(seed_of(replace(sample, subset="rerank"), self.seed))  # noqa: S311 - reproducible, not secret
        lowest = np.partition(scores, -self.top)[-self.top] if self.top < len(scores) else scores.min()
        columns = np.flatnonzero(scores > lowest).tolist()
        level: list[int] = np.flatnonzero(scores == lowest).tolist()
        columns += lots.sample(level, min(self.top - len(columns), len(level)))
        lots.shuffle(columns)
        return columns

    def shown(self, sample: Sample) -> Sample:
        """The sample with its best texts as options."""
        return replace(sample, options=tuple(self.sample_set.gallery[column].text for column in self.of(sample)))

    def row(self, sample: Sample, scores: Sequence[float]) -> np.ndarray | None:
        """The retriever's scores with new ones on top of them; ``None`` if one is no number to be put there.

        Args:
            sample: The sample.
            scores: One a text of :meth:`shown`.
        """
        if not all(-LIFT < score < np.inf for score in scores):
            return None
        row = np.array(self.scores[self._place[sample.id]], np.float64)
        row[self.of(sample)] = np.asarray(scores) + self._lift
        return row


def read_retriever(path: Path, sets: Sequence[SampleSet], top: int) -> Rerank:
    """A retriever's scores of galleries.

    Args:
        path: The folder of a run over the same sets, or a ``.npy`` or ``.npz`` file about one set.
        sets: Sample sets with galleries.
        top: How many of the best are scored again.

    Raises:
        ScoreFileError: If there is nothing, or a file that does not fit the set, or there is more than one set.
        StoreError: If the folder holds no run, or one without scores of these sets.
    """
    if not path.exists():
        raise ScoreFileError(f"{path}: neither a run folder nor a file of scores is there")
    if path.is_dir():
        tables = _run_tables(path, sets)
    elif len(sets) > 1:
        names = ", ".join(one.name for one in sets)
        raise ScoreFileError(f"{path} holds the scores of one set, and there are {names}; choose with --tasks")
    else:
        tables = {one.name: _file_table(path, one) for one in sets}
    return Rerank(top, {name: _hash(table) for name, table in tables.items()}, tables)


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
    spec = spec_from_json(read_run(path)[0])
    run, tables = Run(path, spec), dict[str, np.ndarray]()
    for one in sets:
        file = rows_file(run, f"{one.manifest.task}.all.gallery.{one.manifest.construction}")
        if one.manifest.sha256 not in {ref.sha256 for ref in spec.sets} or not file.is_file():
            raise StoreError(
                f"{path} holds no gallery scores of {one.name}; expected a finished run of a dual encoder over the "
                "same sample set, or choose another with --tasks"
            )
        asked = [sample.id for sample in limited(one.samples, spec.limit, spec.seed)]
        answers = run.predictions(file.name.removesuffix(".main.npy"))
        waiting = sum(name not in answers for name in asked)
        if waiting:
            raise StoreError(f"{path} is not finished: {waiting} clips of {one.name} wait; run its command again")
        scores = read_table(file, (len(asked), len(one.gallery)))
        place = {sample.id: row for row, sample in enumerate(one.samples)}
        table = np.full((len(one.samples), len(one.gallery)), np.nan, scores.dtype)
        for row, name in enumerate(asked):
            if answers[name].outcome == "answered":
                table[place[name]] = scores[row]
                if np.isnan(scores[row]).any():
                    raise StoreError(f"{file}: the scores of sample {name!r} are gone; run its command again")
        tables[one.name] = table
    return tables


def _hash(table: np.ndarray) -> str:
    little = np.ascontiguousarray(table).astype(table.dtype.newbyteorder("<"), copy=False)
    digest = sha256(f"{little.dtype.str} {little.shape}".encode())
    for row in little:
        digest.update(row.tobytes())
    return digest.hexdigest()
