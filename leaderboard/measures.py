"""What runs can be compared by: a metric of one sample set, and what every run made of each of its samples.

Values of samples are computed again from the rows of the runs, one run after the other, so that a hundred runs of a
hundred thousand samples fit into memory; differences and rank sets follow from what each source video adds to a score
(:class:`egobench.statistics.resampling.Influence`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import EgoBenchError, SampleSetError
from egobench.observer import Observer
from egobench.run.plan import PartId
from egobench.scoring.entry import ScoreEntry
from egobench.statistics.resampling import Influence

from .measure_values import MeasureValues
from .runs import BoardRun, measure_key
from .tolerance import tolerance


class Measure(NamedTuple):
    """A metric of one sample set that several runs have a score of.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, with judge and retriever where there are any.
        samples_sha256: Hash of the samples.
        example: One of the entries: what they all share, such as chance, can be read from it.
        influence: What each source video adds to the scores of the runs in ``ranked``; ``None`` where it cannot be had.
        ranked: Keys of the runs that were asked all samples and whose rows give the score they claim.
        problem: Why nothing can be compared; ``""`` where it can.
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


class Measured(NamedTuple):
    """The measures of a board.

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
        """The set with these samples; ``None`` where it is not at hand."""
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
        """The sets that were found so far, by name and hash."""
        return sorted(self._by_hash.values(), key=lambda found: (found.name, found.manifest.samples_sha256))


def measure_runs(runs: Sequence[BoardRun], sets: SampleSets, observer: Observer) -> Measured:
    """Find what the runs of a board can be compared by, and read their rows.

    Args:
        runs: The runs.
        sets: Finds the sample sets.
        observer: Receives the progress and warnings.
    """
    examples: dict[tuple[str, str], ScoreEntry] = {}
    for run in runs:
        for entry in run.scores.values():
            if entry.shown:
                examples.setdefault(measure_key(entry), entry)
    by_part: defaultdict[tuple[PartId, str], list[tuple[str, str]]] = defaultdict(list)
    for key, entry in examples.items():
        by_part[entry.id.part, entry.samples_sha256].append(key)
    measures: list[Measure] = []
    claims = _Claims()
    observer.begin("reading rows", sum(len(run.scores) for run in runs), 0)
    for (part, digest), keys in sorted(by_part.items()):
        measures += _measure_part(runs, part, digest, {key: examples[key] for key in keys}, (sets, observer, claims))
    return Measured(sorted(measures, key=_order), frozenset(claims.confirmed - claims.refuted))


@dataclass
class _Claims:
    confirmed: set[str] = field(default_factory=set[str])
    refuted: set[str] = field(default_factory=set[str])


def _measure_part(
    runs: Sequence[BoardRun],
    part: PartId,
    digest: str,
    examples: Mapping[tuple[str, str], ScoreEntry],
    tools: tuple[SampleSets, Observer, _Claims],
) -> list[Measure]:
    sets, observer, claims = tools
    whole = [run for run in runs if run.rankable and any(_whole(run, key) for key in examples)]
    sample_set = next((found for run in whole if (found := sets.find(run, digest))), None)
    if sample_set is None:
        reason = "no run was asked all samples" if not whole else "the sample set is not at hand"
        return [Measure(key, digest, entry, None, (), reason) for (key, _), entry in examples.items()]
    values = MeasureValues(sample_set, part)
    problems = {key: values.why_unpaired(entry) for key, entry in examples.items()}
    for run in whole:
        own = {key[0]: run.by_measure[key] for key, problem in problems.items() if not problem and _whole(run, key)}
        try:
            values.read(run, own)
        except (EgoBenchError, ValueError) as error:
            observer.warn(f"{run.folder} is shown as it says, and ranked with nobody: {error}")
            claims.refuted.add(run.key)
        observer.advance(len(own))
    return [
        Measure(*key, entry, None, (), problems[key]) if problems[key] else _measure(whole, values, key, entry, claims)
        for key, entry in examples.items()
    ]


def _measure(
    runs: Sequence[BoardRun], values: MeasureValues, key: tuple[str, str], example: ScoreEntry, claims: _Claims
) -> Measure:
    name, slack = key[0], tolerance(example.id)
    available = values.keys(name)
    keys = [run.key for run in runs if run.key in available]
    confirmed: list[str] = []
    for run in runs:
        claimed = run.by_measure[key].value if run.key in available else None
        if claimed is not None and math.isclose(claimed, values.value(name, run.key), rel_tol=slack, abs_tol=slack):
            confirmed.append(run.key)
    claims.confirmed.update(confirmed)
    claims.refuted.update(set(keys) - set(confirmed))
    if not confirmed:
        return Measure(*key, example, None, (), "no run's rows give the score it claims")
    return Measure(*key, example, values.influence(name, confirmed), tuple(confirmed), "")


def _whole(run: BoardRun, key: tuple[str, str]) -> bool:
    entry = run.by_measure.get(key)
    return entry is not None and not entry.partial and entry.value is not None


def _order(measure: Measure) -> tuple[str, str, str, bool, str, str]:
    part = measure.part
    return part.task, part.construction, part.subset, not measure.example.headline, measure.id, measure.samples_sha256
