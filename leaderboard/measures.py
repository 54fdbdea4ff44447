"""What runs can be compared by: a metric of one sample set, and what every run made of each of its samples.

Values of samples are computed again from the rows of the runs, one run after the other, so that a hundred runs of a
hundred thousand samples fit into memory; differences and rank sets follow from what each source video adds to a score
(:class:`egobench.statistics.resampling.Influence`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import EgoBenchError, ModelError, SampleSetError
from egobench.metrics import Metric
from egobench.observer import Observer
from egobench.plugins import load_task
from egobench.run.plan import PartId
from egobench.run.records import Prediction
from egobench.run.store import Run
from egobench.sample import Sample
from egobench.scoring.entry import ScoreEntry
from egobench.scoring.sample_values import RunValues, SampleValues, Unsealing
from egobench.statistics.resampling import Column

from .bundle import sample_texts
from .runs import BoardRun, measure_key
from .sealing import unseal


class Measure(NamedTuple):
    """A metric of one sample set that several runs have a score of.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, with judge and retriever where there are any.
        samples_sha256: Hash of the samples.
        example: One of the entries: what they all share, such as chance, can be read from it.
        column: The values of its samples for the runs in ``ranked``; ``None`` where they cannot be had.
        ranked: Keys of the runs that were asked all samples and whose rows give the score they claim.
        problem: Why nothing can be compared; ``""`` where it can.
    """

    id: str
    samples_sha256: str
    example: ScoreEntry
    column: Column | None
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


class _PartRows:
    """The samples of a part, and what runs made of them, by metric and run."""

    def __init__(self, sample_set: SampleSet, part: PartId) -> None:
        self.samples = SampleValues([sample for sample in sample_set.samples if sample.subset == part.subset])
        self.values: defaultdict[str, dict[str, RunValues]] = defaultdict(dict)
        self.metrics: Mapping[str, Metric] = {}
        task = load_task(part.task)
        subset = next((subset for subset in task.subsets if subset.name == part.subset), None)
        public = part.protocol == "open" or all(sample.target is not None for sample in self.samples.samples)
        if subset is not None and subset.protocol == part.protocol and public:
            self.metrics = task.metrics_of(subset)

    def add(self, run: BoardRun, part: PartId, names: Sequence[str]) -> None:
        """Read what a run made of the samples.

        Raises:
            StoreError: If its rows are damaged, or some are missing.
        """
        sealed = run.sealed and part.protocol == "open"
        unsealing: Unsealing | None = (
            (lambda predictions: unsealed(predictions, self.samples.samples)) if sealed else None
        )
        metrics = {name: self.metrics[name] for name in names}
        values = self.samples.read(Run(run.folder, run.spec), part.file_stem, metrics, unsealing=unsealing)
        for name in names:
            self.values[name][run.key] = values

    def column(self, name: str, keys: Sequence[str]) -> Column:
        """The values of some runs side by side."""
        return self.samples.column(name, self.metrics[name], [self.values[name][key] for key in keys])


def unsealed(predictions: Mapping[str, Prediction], samples: Iterable[Sample]) -> dict[str, Prediction]:
    """Predictions out of a bundle, with the replies as they were.

    Raises:
        BundleError: If a reply refers to what its sample does not have.
    """
    return {
        sample.id: replace(found, reply=unseal(found.reply, sample_texts(sample)))
        for sample in samples
        if (found := predictions.get(sample.id)) is not None
    }


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
    rows = _PartRows(sample_set, part)
    names = {
        key: entry.id.metric for key, entry in examples.items() if _plain(entry) and entry.id.metric in rows.metrics
    }
    for run in whole:
        own = [name for key, name in names.items() if _whole(run, key)]
        try:
            if own:
                rows.add(run, part, own)
        except EgoBenchError as error:
            observer.warn(f"{run.folder} is shown as it says, and ranked with nobody: {error}")
            claims.refuted.add(run.key)
        observer.advance(len(own))
    return [_measure(whole, rows, key, entry, names.get(key), claims) for key, entry in examples.items()]


def _measure(
    runs: Sequence[BoardRun],
    rows: _PartRows,
    key: tuple[str, str],
    example: ScoreEntry,
    name: str | None,
    claims: _Claims,
) -> Measure:
    if name is None:
        return Measure(*key, example, None, (), _why_unpaired(example))
    available = rows.values[name]
    keys = [run.key for run in runs if run.key in available]
    try:
        column = rows.column(name, keys) if keys else None
        values: list[float] = [] if column is None else column.values().tolist()
    except ModelError as error:
        return Measure(*key, example, None, (), str(error))
    claimed = {run.key: run.by_measure[key].value for run in runs if run.key in available}
    confirmed = [run_key for run_key, value in zip(keys, values, strict=True) if claimed[run_key] == value]
    claims.confirmed.update(confirmed)
    claims.refuted.update(set(keys) - set(confirmed))
    if not confirmed:
        return Measure(*key, example, None, (), "no run's rows give the score it claims")
    column = column if confirmed == keys else rows.column(name, confirmed)
    return Measure(*key, example, column, tuple(confirmed), "")


def _whole(run: BoardRun, key: tuple[str, str]) -> bool:
    entry = run.by_measure.get(key)
    return entry is not None and not entry.partial and entry.value is not None


def _plain(entry: ScoreEntry) -> bool:
    """Whether the score is one of single answers: several orders, judges and galleries have rows of other kinds."""
    return entry.orders == 1 and entry.judge is None and entry.gallery is None and entry.positions is None


def _why_unpaired(entry: ScoreEntry) -> str:
    """Why a score whose rows are of another kind, or whose samples have no public answer, is in no paired test."""
    if entry.gallery is not None:
        reason = "rankings of a whole gallery are not paired by sample"
    elif entry.judge is not None:
        reason = "grades of a judge are not paired by sample"
    elif entry.orders > 1 or entry.positions is not None:
        reason = "answers in several orders of the options are not paired by sample"
    else:
        reason = "its values per sample cannot be computed from the rows"
    return f"{reason}; the interval of every run is its own"


def _order(measure: Measure) -> tuple[str, str, str, bool, str, str]:
    part = measure.part
    return part.task, part.construction, part.subset, not measure.example.headline, measure.id, measure.samples_sha256
