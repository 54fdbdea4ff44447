"""A board: runs in sections of equal method and control, what they are compared by, rank sets and paired tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from egobench.controls import CONTROLS, Control
from egobench.observer import Observer, SilentObserver
from egobench.scoring.entry import ScoreEntry
from egobench.scoring.overview import headline_ids
from egobench.statistics.average import average_influence
from egobench.statistics.estimates import Estimate
from egobench.statistics.ranks import RankSet, rank_sets
from egobench.statistics.resampling import Influence

from .measures import Measure, SampleSets, measure_runs
from .runs import BoardRun, MeasureKey

AVERAGES = {"Avg": None, "Avg (debiased)": "debiased"}
"""The means of the ten headline numbers, and the construction that each prefers."""


class Pairs(NamedTuple):
    """Differences of every two runs of a number, paired by sample and clustered by source video.

    Attributes:
        keys: Keys of the runs, in the order of rows and columns.
        effects: ``(n_runs, n_runs)``, the row's score minus the column's.
        errors: The same shape, clustered standard errors; NaN with fewer than two clusters.
        p: The same shape, two-sided p-values; NaN where there is no error.
        clusters: Number of clusters, one more than the degrees of freedom.
    """

    keys: tuple[str, ...]
    effects: np.ndarray
    errors: np.ndarray
    p: np.ndarray
    clusters: int


@dataclass(frozen=True)
class Number:
    """A column of the board: a measure, or an average of measures.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, or the name of an average.
        samples_sha256: Hash of the samples; of all the sets of an average together.
        measure: The measure; ``None`` for an average.
        keys: Keys of the runs that can be compared by it.
        influence: What each source video adds to the scores of these runs; ``None`` where values of samples are not
            known.
        estimates: Values and intervals by run key, of all runs that have the number.
        clusters: Number of clusters, one more than the degrees of freedom; for an average those of the number that has
            the fewest.
    """

    id: str
    samples_sha256: str
    measure: Measure | None
    keys: tuple[str, ...]
    influence: Influence | None
    estimates: Mapping[str, Estimate]
    clusters: int

    @property
    def example(self) -> ScoreEntry | None:
        """An entry with what all entries of the measure share: chance and blind figures; ``None`` for an average."""
        return None if self.measure is None else self.measure.example

    @property
    def headline(self) -> bool:
        """Whether it is the headline of its subset."""
        return self.measure is not None and self.measure.example.headline

    @property
    def key(self) -> str:
        """Eight hex digits that name it in pages and their addresses."""
        return sha256(f"{self.id} {self.samples_sha256}".encode()).hexdigest()[:8]

    def entry_of(self, run: BoardRun) -> ScoreEntry | None:
        """Return a run's score entry; ``None`` for an average, or for a run without one."""
        return run.by_measure.get(MeasureKey(self.id, self.samples_sha256))


@dataclass(frozen=True)
class Section:
    """Runs of one method and control; there are rank sets within a section alone.

    Attributes:
        method: How an answer becomes a number.
        control: What was removed or altered; ``None`` for plain runs.
        runs: In the order in which pages list them: by average, then by mean place, then by name.
        numbers: The columns.
        ranks: Rank sets by key of the number and key of the run.
    """

    method: str
    control: Control | None
    runs: tuple[BoardRun, ...]
    numbers: tuple[Number, ...]
    ranks: Mapping[tuple[str, str], RankSet]

    @property
    def key(self) -> str:
        """The name of the section in addresses."""
        return self.method if self.control is None else f"{self.method}-{self.control}"


@dataclass(frozen=True)
class Board:
    """Runs in sections, with the numbers that they are compared by.

    Attributes:
        runs: All runs, by model, name and id.
        numbers: All numbers, averages first.
        sections: Plain runs first.
        sets: The sample sets that were at hand.
    """

    runs: tuple[BoardRun, ...]
    numbers: tuple[Number, ...]
    sections: tuple[Section, ...]
    sets: SampleSets

    def sections_of(self, number: Number) -> Iterator[Section]:
        """Yield the sections that have a number."""
        return (section for section in self.sections if number in section.numbers)


def make_board(runs: Iterable[BoardRun], sets: SampleSets, observer: Observer | None = None) -> Board:
    """Make a board of runs; a run that comes twice counts once.

    Args:
        runs: The runs.
        sets: Finds their sample sets.
        observer: Receives the progress.
    """
    observer = observer or SilentObserver()
    by_key = {run.key: run for run in runs}
    ordered = tuple(sorted(by_key.values(), key=lambda run: (run.model.lower(), run.name.lower(), run.key)))
    measured = measure_runs(ordered, sets, observer)
    levelled = tuple(replace(run, level="re-scored") if _rescored(run, measured.verified) else run for run in ordered)
    observer.begin("ranking", len(measured.measures), 0)
    plain = [_number(measure, levelled, observer) for measure in measured.measures]
    numbers = (*_averages(plain, levelled), *plain)
    sections = tuple(_sections(levelled, numbers))
    return Board(levelled, numbers, sections, sets)


def pairs(number: Number) -> Pairs | None:
    """Test every two runs of a number; ``None`` without values of samples, or with fewer than two clusters.

    The error of a difference is ``C / (C - 1) sum_c (u_ac - u_bc)^2`` over influences u: for a mean that of
    :func:`egobench.statistics.paired`, for other numbers the delete-one-cluster jackknife's.
    """
    from scipy.special import stdtr  # noqa: PLC0415 - pages without tests do without

    from egobench.statistics.clustered import EXACT  # noqa: PLC0415

    if number.influence is None or number.clusters < 2:
        return None
    influence, clusters = number.influence, number.clusters
    n_clusters = len(influence.shares)
    products = influence.by_cluster.T @ influence.by_cluster
    squares = np.diag(products)[:, None] + np.diag(products)[None, :] - 2 * products
    errors = np.sqrt(np.maximum(squares, 0) * n_clusters / (n_clusters - 1))
    errors[errors < EXACT * 1e4] = 0.0  # a difference of products is exact to half of the digits
    effects = influence.values[:, None] - influence.values[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(clusters - 1, -np.abs(effects) / errors)
    # Where all clusters have the same difference there is no error: the sign test of the clusters.
    constant = errors == 0
    p[constant] = np.where(np.abs(effects[constant]) < EXACT, 1.0, min(1.0, 2 * 0.5**clusters))
    return Pairs(number.keys, effects, errors, p, clusters)


def _rescored(run: BoardRun, verified: frozenset[str]) -> bool:
    """Tell whether a run folder's scores follow from its rows; a bundle's level is that of its check."""
    return run.level == "self-reported" and not run.sealed and run.key in verified


def _number(measure: Measure, runs: Sequence[BoardRun], observer: Observer) -> Number:
    key = MeasureKey(measure.id, measure.samples_sha256)
    entries = {run.key: run.by_measure[key] for run in runs if key in run.by_measure}
    estimates = {
        run_key: Estimate(entry.value, entry.se, entry.low, entry.high, entry.n, entry.clusters)
        for run_key, entry in entries.items()
        if entry.value is not None
    }
    observer.advance(1)
    return Number(*key, measure, measure.ranked, measure.influence, estimates, measure.example.clusters)


def _averages(numbers: Sequence[Number], runs: Sequence[BoardRun]) -> Iterator[Number]:
    """Yield the averages, one for each combination of sample sets that runs have."""
    seen: set[tuple[str, ...]] = set()
    for name, construction in AVERAGES.items():
        ids = headline_ids(construction)
        if ids in seen:
            continue
        seen.add(ids)
        by_sets: defaultdict[tuple[str, ...], list[BoardRun]] = defaultdict(list)
        for run in runs:
            entries = [_whole_entry(run, metric) for metric in ids]
            if all(entries):
                by_sets[tuple(entry.samples_sha256 for entry in entries if entry)].append(run)
        for digests, members in sorted(by_sets.items()):
            by_key = {(number.id, number.samples_sha256): number for number in numbers}
            yield _average(name, [by_key[key] for key in zip(ids, digests, strict=True)], members)


def _whole_entry(run: BoardRun, metric: str) -> ScoreEntry | None:
    """Return the entry of a run under a metric id, with a value and over all samples; ``None`` for none."""
    whole = (
        entry
        for (name, _), entry in run.by_measure.items()
        if name == metric and not entry.partial and entry.value is not None
    )
    return next(whole, None)


def _average(name: str, members: Sequence[Number], runs: Sequence[BoardRun]) -> Number:
    digest = sha256(" ".join(number.samples_sha256 for number in members).encode()).hexdigest()
    clusters = min(number.clusters for number in members)
    values = {run.key: float(np.mean([number.estimates[run.key].value for number in members])) for run in runs}
    estimates = {key: Estimate(value, None, None, None, 0, clusters) for key, value in values.items()}
    keys = tuple(run.key for run in runs if all(run.key in number.keys for number in members))
    if not keys:
        return Number(name, digest, None, (), None, estimates, clusters)
    influence = average_influence([restricted(number, keys) for number in members])
    estimates |= dict(zip(keys, _intervals(influence, clusters), strict=True))
    return Number(name, digest, None, keys, influence, estimates, clusters)


def restricted(number: Number, keys: Sequence[str]) -> Influence:
    """Return the influence of some of the runs of a number.

    Args:
        number: The number.
        keys: Keys of the runs.

    Raises:
        ValueError: If the number has no influence.
    """
    if number.influence is None:
        raise ValueError(f"{number.id} has no values of samples; expected a number whose runs can be compared")
    return number.influence.of_runs([number.keys.index(key) for key in keys])


def _intervals(influence: Influence, clusters: int) -> Iterator[Estimate]:
    from egobench.statistics.clustered import around  # noqa: PLC0415 - scipy

    n_clusters = len(influence.shares)
    for value, squares in zip(influence.values.tolist(), (influence.by_cluster**2).sum(axis=0).tolist(), strict=True):
        if clusters < 2:
            yield Estimate(value, None, None, None, 0, clusters)
        else:
            yield around(value, float(np.sqrt(squares * n_clusters / (n_clusters - 1))), 0, clusters)


def _sections(runs: Sequence[BoardRun], numbers: Sequence[Number]) -> Iterator[Section]:
    groups: defaultdict[tuple[int, str], list[BoardRun]] = defaultdict(list)
    controls: list[Control | None] = [None, *CONTROLS]
    for run in runs:
        groups[controls.index(run.spec.control), run.method].append(run)
    for (control, method), members in sorted(groups.items()):
        columns = tuple(number for number in numbers if any(run.key in number.estimates for run in members))
        ranks: dict[tuple[str, str], RankSet] = {}
        for number in columns:
            keys = [run.key for run in members if run.key in number.keys]
            if len(keys) > 1 and number.clusters > 1:
                rank_by_run = zip(keys, rank_sets(restricted(number, keys)), strict=True)
                ranks |= {(number.key, key): rank for key, rank in rank_by_run}
        yield Section(method, controls[control], _in_page_order(members, columns), columns, ranks)


def _in_page_order(runs: Sequence[BoardRun], numbers: Sequence[Number]) -> tuple[BoardRun, ...]:
    """Sort runs by average, best first; those without one follow by the share of runs that beat them, then by name."""
    averages = [number for number in numbers if number.measure is None]
    beaten: dict[str, float] = {}
    for run in runs:
        shares: list[float] = []
        for number in numbers:
            values = [number.estimates[other.key].value for other in runs if other.key in number.estimates]
            if number.headline and run.key in number.estimates:
                shares.append(float(np.mean([value > number.estimates[run.key].value for value in values])))
        beaten[run.key] = float(np.mean(shares)) if shares else 1.0

    def place(run: BoardRun) -> tuple[bool, float, float, str, str]:
        best = next((number.estimates[run.key].value for number in averages if run.key in number.estimates), None)
        return best is None, -(best or 0.0), beaten[run.key], run.model.lower(), run.key

    return tuple(sorted(runs, key=place))
