"""Measures: metrics of one sample set, by which runs are compared sample by sample.

Values of samples are computed again from the rows of the runs, one run after the other, so that a hundred runs of a
hundred thousand samples fit into memory; differences and rank sets follow from what each source video adds to a score
(:class:`egobench.statistics.resampling.Influence`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import EgoBenchError, SampleSetError
from egobench.observer import Observer
from egobench.run.plan import PartId
from egobench.scoring.entry import ScoreEntry
from egobench.statistics.resampling import Influence

from .measure_values import MeasureValues
from .runs import BoardRun, MeasureKey
from .tolerance import tolerance


class Measure(NamedTuple):
    """A metric of one sample set that several runs have a score of.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, with judge and retriever where there are any.
        samples_sha256: Hash of the samples.
        example: One of the entries, for what they all share, such as chance.
        influence: What each source video adds to the scores of the runs in ``ranked``; ``None`` where there are none.
        ranked: Keys of the runs that were asked all samples and whose rows give the score they claim.
        problem: Why no runs are ranked; ``""`` where some are.
    """

    id: str
    samples_sha256: str
    example: ScoreEntry
    influence: Influence | None
    ranked: tuple[str, ...]
    problem: str

    @property
    def part(self) -> PartId:
        """Task, subset, protocol and construction."""
        return self.example.id.part


class RunMeasures(NamedTuple):
    """The measures of a board, and the runs whose scores they confirm.

    Attributes:
        measures: In the order of tasks, subsets and metrics.
        verified: Keys of the runs all of whose comparable scores were obtained again from their rows.
    """

    measures: list[Measure]
    verified: frozenset[str]


@dataclass
class SampleSets:
    """The sample sets that runs are about, each read once and found by its hash.

    Attributes:
        data: Folder of sample sets; ``None`` for where they were when each run was done.
    """

    data: Path | None = None
    _by_hash: dict[str, SampleSet] = field(default_factory=dict[str, SampleSet])
    _read: set[Path] = field(default_factory=set[Path])

    def find(self, run: BoardRun, samples_sha256: str) -> SampleSet | None:
        """Return the set with these samples; ``None`` where it is not at hand."""
        recorded = str(run.recorded.get("data") or "")
        folder = self.data or (Path(recorded) if recorded else None)
        if samples_sha256 not in self._by_hash and folder is not None and folder not in self._read:
            self._read.add(folder)
            try:
                sets = list(map(SampleSet.read, find_sets(folder)))
            except SampleSetError:
                if self.data is not None:
                    raise
                sets = []
            self._by_hash |= {sample_set.manifest.samples_sha256: sample_set for sample_set in sets}
        return self._by_hash.get(samples_sha256)

    def all(self) -> list[SampleSet]:
        """Return all sets that were read so far, sorted by name and hash."""
        by_name_and_hash = attrgetter("name", "manifest.samples_sha256")
        return sorted(self._by_hash.values(), key=by_name_and_hash)


def measure_runs(runs: Sequence[BoardRun], sets: SampleSets, observer: Observer) -> RunMeasures:
    """Find the measures of some runs, and compute their values again from the rows of the runs.

    Args:
        runs: The runs.
        sets: Finds the sample sets.
        observer: Receives the progress and warnings.
    """
    examples: dict[MeasureKey, ScoreEntry] = {}
    for run in runs:
        for entry in run.scores.values():
            if entry.shown:
                examples.setdefault(MeasureKey.of(entry), entry)
    by_part: defaultdict[tuple[PartId, str], dict[MeasureKey, ScoreEntry]] = defaultdict(dict)
    for key, entry in examples.items():
        by_part[entry.id.part, entry.samples_sha256][key] = entry
    measuring = _Measuring(runs, sets, observer)
    observer.begin("reading rows", sum(len(run.scores) for run in runs), 0)
    measures = [measure for _, of_part in sorted(by_part.items()) for measure in measuring.part(of_part)]
    return RunMeasures(sorted(measures, key=_order), frozenset(measuring.confirmed - measuring.refuted))


@dataclass
class _Measuring:
    """Measures the runs of a board part by part.

    Attributes:
        confirmed: Keys of the runs of which a score was obtained again from the rows.
        refuted: Keys of the runs of which one was not.
    """

    runs: Sequence[BoardRun]
    sets: SampleSets
    observer: Observer
    confirmed: set[str] = field(default_factory=set[str])
    refuted: set[str] = field(default_factory=set[str])

    def part(self, examples: Mapping[MeasureKey, ScoreEntry]) -> Iterator[Measure]:
        """Yield the measures of one part.

        Args:
            examples: An entry of each measure; all are of one part and the same samples.
        """
        whole = [run for run in self.runs if run.rankable and any(_whole(run, key) for key in examples)]
        first_key, first_entry = next(iter(examples.items()))
        found_sets = (self.sets.find(run, first_key.samples_sha256) for run in whole)
        sample_set = next((sample_set for sample_set in found_sets if sample_set is not None), None)
        if sample_set is None:
            reason = "no run was asked all samples" if not whole else "the sample set is not at hand"
            yield from (Measure(*key, entry, None, (), reason) for key, entry in examples.items())
            return
        values = MeasureValues(sample_set, first_entry.id.part)
        problems = {key: values.why_unpaired(entry) for key, entry in examples.items()}
        for run in whole:
            self._read(run, values, [key for key, problem in problems.items() if not problem and _whole(run, key)])
        for key, entry in examples.items():
            problem = problems[key]
            yield Measure(*key, entry, None, (), problem) if problem else self._measure(key, entry, whole, values)

    def _read(self, run: BoardRun, values: MeasureValues, keys: Sequence[MeasureKey]) -> None:
        try:
            values.read(run, {key.id: run.by_measure[key] for key in keys})
        except (EgoBenchError, ValueError) as error:
            self.observer.warn(f"{run.folder} is shown as it says, and ranked with nobody: {error}")
            self.refuted.add(run.key)
        self.observer.advance(len(keys))

    def _measure(
        self, key: MeasureKey, example: ScoreEntry, runs: Sequence[BoardRun], values: MeasureValues
    ) -> Measure:
        slack, available = tolerance(example.id), values.keys(key.id)
        confirmed: list[str] = []
        for run in runs:
            claimed = run.by_measure[key].value if run.key in available else None
            if claimed is not None and math.isclose(
                claimed, values.value(key.id, run.key), rel_tol=slack, abs_tol=slack
            ):
                confirmed.append(run.key)
        self.confirmed.update(confirmed)
        self.refuted.update({run.key for run in runs if run.key in available} - set(confirmed))
        if not confirmed:
            return Measure(*key, example, None, (), "no run's rows give the score it claims")
        return Measure(*key, example, values.influence(key.id, confirmed), tuple(confirmed), "")


def _whole(run: BoardRun, key: MeasureKey) -> bool:
    """Tell whether a run was asked all samples of a measure, and has a value."""
    entry = run.by_measure.get(key)
    return entry is not None and not entry.partial and entry.value is not None


def _order(measure: Measure) -> tuple[str, str, str, bool, str, str]:
    part = measure.part
    return part.task, part.construction, part.subset, not measure.example.headline, measure.id, measure.samples_sha256
