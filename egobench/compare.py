"""Runs against one another: paired, clustered, and only over the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from egobench.errors import ModelError, SampleSetError, StoreError
from egobench.evaluate import plan, sets_of, settings_of
from egobench.metrics import Metric, ScoredSample
from egobench.plugins import TASKS, load_task, names
from egobench.run.spec import RunSpec, spec_from_json
from egobench.run.store import Run, read_run
from egobench.scoring.score import Part, judge
from egobench.statistics import Estimate, PairedTest, holm
from egobench.statistics.average import average, average_influence
from egobench.statistics.ranks import RankSet, rank_sets
from egobench.statistics.resampling import Column, Influence, column

GAINS = {"blind": "visual gain", "shuffled": "temporal gain"}
"""What plain minus control is called; ``gain over <control>`` for the others."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the runs that are compared.

    Attributes:
        name: ``<model>/<run id>``.
        path: Its folder.
        spec: What identifies it.
        gain: What the first run minus this one is called; ``"difference"`` unless it is a control of the first run.
        differs: What of the spec is not as in the first run; empty for the first.
    """

    name: str
    path: Path
    spec: RunSpec
    gain: str
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """One number of all runs.

    Attributes:
        id: ``task/subset/protocol/construction/metric``, or the name of an average.
        headline: Whether it stands for its subset, and so belongs to the family of tests.
        values: One a run.
        intervals: One a run for averages, which no single run shows; else empty.
        tests: The first run minus each of the others.
        adjusted: Holm's p-value of each test within the family; ``None`` outside of it.
        ranks: One a run where three or more are ranked, ``None`` for a run that is not; else empty.
        partial: Whether only some of the samples were asked.
        column: The samples; ``None`` for averages.
    """

    id: str
    headline: bool
    values: tuple[float, ...]
    intervals: tuple[Estimate, ...]
    tests: tuple[PairedTest, ...]
    adjusted: tuple[float | None, ...]
    ranks: tuple[RankSet | None, ...]
    partial: bool
    column: Column | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What :func:`compare` finds.

    Attributes:
        runs: The first is compared with each of the others; plain runs come before controls.
        numbers: One a subset, or one a metric.
        averages: ``Avg`` and ``Avg (debiased)``, as far as all ten numbers are there.
        absent: Ids of the headline numbers that an average lacks, by its name; an average without any is left out.
        problems: Why a number could not be compared, by id.
        family: Number of tests that Holm's correction is over.
    """

    runs: tuple[Compared, ...]
    numbers: tuple[Number, ...]
    averages: tuple[Number, ...]
    absent: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, str]
    family: int


def compare(
    paths: Sequence[Path],
    data: Path | None = None,
    *,
    tasks: Sequence[str] | None = None,
    everything: bool = False,
    seed: int = 0,
) -> Comparison:
    """Compare the first run with each of the others, and rank them if there are three or more.

    Args:
        paths: Run folders, at least two.
        data: Folder of their sample sets; ``None`` for where they were when the first one ran.
        tasks: Only these; ``None`` for all.
        everything: Every metric, not the headline of each subset only.
        seed: Of every resampling.

    Raises:
        ValueError: If there are fewer than two different runs.
        SampleSetError: If the runs were asked different samples, or the samples are gone.
        StoreError: If a folder holds no run, or a run is not finished.
    """
    runs = _read(paths)
    _same_sets(runs, tasks)
    sets = sets_of(runs[0].path, data, tasks)
    parts = list(zip(*(plan(sets, settings_of(run.spec)) for run in runs), strict=True))
    numbers: list[Number] = []
    problems: dict[str, str] = {}
    for row in parts:
        first = row[0]
        if first.sample_set.gallery:
            problems[first.name.replace(".", "/")] = "galleries are left out; see the scores of each run"
            continue
        judged = _judged(runs, row)
        metrics = first.task.metrics_of(first.subset)
        for name in metrics if everything else [first.subset.headline]:
            key = "/".join([*first.name.split("."), name])
            found = _number(runs, key, first, metrics[name], judged, seed)
            if isinstance(found, str):
                problems[key] = found
            else:
                numbers.append(replace(found, headline=name == first.subset.headline))
    corrected, family = _corrected(numbers)
    averages, absent = _averages(runs, corrected, seed)
    return Comparison(runs, corrected, averages, absent, problems, family)


def headline_numbers(construction: str | None = None) -> list[str]:
    """Ids of the numbers whose plain mean is ``Avg``: the headline of every multiple-choice subset of our own tasks.

    Args:
        construction: Taken where a task has it; the one that published rows used elsewhere.
    """
    own = [name for name in names(TASKS) if find_spec(f"{TASKS}.{name.replace('-', '_')}")]
    return [
        f"{task.name}/{subset.name}/mcq/{construction if construction in task.constructions else task.headline}"
        f"/{subset.headline}"
        for task in map(load_task, own)
        for subset in task.subsets
        if subset.protocol == "mcq"
    ]


def _read(paths: Sequence[Path]) -> tuple[Compared, ...]:
    found = {path.resolve(): spec_from_json(read_run(path)[0]) for path in paths}
    if len(found) < 2:
        raise ValueError(f"{len(found)} different run was given; expected at least two to compare")
    ordered = sorted(found.items(), key=lambda item: item[1].control is not None)
    base = ordered[0][1]
    return tuple(
        Compared(f"{spec.model['name']}/{spec.id}", path, spec, *_relation(base, spec)) for path, spec in ordered
    )


def _relation(base: RunSpec, spec: RunSpec) -> tuple[str, tuple[str, ...]]:
    """What the difference is called, and what makes it."""
    ours, theirs = asdict(base), asdict(spec)
    differs = tuple(key for key in ours if ours[key] != theirs[key] and key not in {"sets", "limit"})
    # A blind run is shown no frames, so its rule of frames is another.
    expected = {"control", "harness", *(["frames"] if spec.control == "blind" else [])}
    if base.control is None and spec.control is not None and set(differs) <= expected:
        return GAINS.get(spec.control, f"gain over {spec.control}"), differs
    return "difference", differs


def _same_sets(runs: Sequence[Compared], tasks: Sequence[str] | None) -> None:
    held = [
        {f"{one.task}/{one.construction}": one for one in run.spec.sets if tasks is None or one.task in tasks}
        for run in runs
    ]
    for run, sets in zip(runs[1:], held[1:], strict=True):
        both = [name for name in held[0] if name in sets]
        differ = [name for name in both if held[0][name].sha256 != sets[name].sha256]
        alone = [f"{name} is only in {runs[0].path}" for name in held[0] if name not in sets]
        alone += [f"{name} is only in {run.path}" for name in sets if name not in held[0]]
        if differ or alone:
            shared = sorted({sets[name].task for name in both} - {sets[name].task for name in differ})
            said = [f"{name} has other samples in {runs[0].path} than in {run.path}" for name in differ]
            hint = f"; both have the same of {', '.join(shared)}, see --tasks" if shared else ""
            raise SampleSetError(f"runs over different sample sets cannot be compared: {'; '.join(said + alone)}{hint}")
    if not held[0]:
        raise SampleSetError(f"{runs[0].path} has no sample set of {', '.join(tasks or ())}")


def _judged(runs: Sequence[Compared], row: Sequence[Part]) -> list[list[ScoredSample]]:
    """What became of the samples of one part, in every run."""
    found: list[list[ScoredSample]] = []
    for run, part in zip(runs, row, strict=True):
        if part.asked != row[0].asked:
            raise SampleSetError(
                f"runs over different samples of {part.name} cannot be compared: {len(row[0].asked)} were asked in "
                f"{runs[0].path} (limit {runs[0].spec.limit}, seed {runs[0].spec.seed}) and {len(part.asked)} in "
                f"{run.path} (limit {run.spec.limit}, seed {run.spec.seed}); give both the same --limit and --seed"
            )
        judged = judge(part.asked, Run(run.path, run.spec).predictions(part.name))
        if len(judged) < len(part.asked):
            raise StoreError(
                f"{run.path} is not finished: {len(judged)} of {len(part.asked)} samples of {part.name} were asked; "
                "run its command again"
            )
        found.append(judged)
    return found


def _number(
    runs: Sequence[Compared], key: str, part: Part, metric: Metric, judged: Sequence[Sequence[ScoredSample]], seed: int
) -> Number | str:
    """One number of all runs, or why there is none."""
    private = sum(sample.target is None for sample in part.asked) if metric.protocol == "mcq" else 0
    if private:
        return f"the answers of {private} of {len(part.asked)} samples are private"
    try:
        found = column(metric, judged)
        values = found.values()
        resampled = found.resampled(seed=seed) if found.at_once else None
    except ModelError as error:
        return str(error)
    return Number(
        id=key,
        headline=False,
        values=tuple(values.tolist()),
        intervals=(),
        tests=tuple(found.paired(0, other, resampled) for other in range(1, len(runs))),
        adjusted=(None,) * (len(runs) - 1),
        ranks=_ranked(runs, found.influence, seed),
        partial=len(part.asked) < len(part.samples),
        column=found,
    )


def _ranked(runs: Sequence[Compared], influence: Callable[[], Influence], seed: int) -> tuple[RankSet | None, ...]:
    """Rank sets of the runs that see what the first one sees, where there are three or more."""
    ranked = [place for place, run in enumerate(runs) if run.spec.control == runs[0].spec.control]
    if len(ranked) < 3:
        return ()
    found = influence()
    sets = rank_sets(Influence(found.values[ranked], found.each[:, ranked], found.shares), seed=seed)
    by_place = dict(zip(ranked, sets, strict=True))
    return tuple(by_place.get(place) for place in range(len(runs)))


def _corrected(numbers: Sequence[Number]) -> tuple[tuple[Number, ...], int]:
    """Numbers with Holm's p-values over all tests of headline numbers, and how many tests these are."""
    family = [(row, test) for row, number in enumerate(numbers) if number.headline for test in range(len(number.tests))]
    p_values = [numbers[row].tests[test].p for row, test in family]
    adjusted = dict(zip(family, holm(p_values), strict=True))
    corrected = tuple(
        replace(number, adjusted=tuple(adjusted.get((row, test)) for test in range(len(number.tests))))
        for row, number in enumerate(numbers)
    )
    return corrected, sum(p is not None for p in p_values)


def _averages(
    runs: Sequence[Compared], numbers: Sequence[Number], seed: int
) -> tuple[tuple[Number, ...], dict[str, tuple[str, ...]]]:
    """The averages whose ten numbers are all there, and what the others lack."""
    have = {number.id: number for number in numbers}
    wanted = {"Avg": headline_numbers(), "Avg (debiased)": headline_numbers("debiased")}
    if wanted["Avg"] == wanted["Avg (debiased)"]:
        del wanted["Avg (debiased)"]
    averages: list[Number] = []
    absent: dict[str, tuple[str, ...]] = {}
    for name, ids in wanted.items():
        missing = tuple(each for each in ids if each not in have)
        if missing:
            if len(missing) < len(ids):
                absent[name] = missing
            continue
        members = [have[each] for each in ids]
        columns = [member.column for member in members if member.column is not None]
        found = average(columns, seed=seed)
        averages.append(
            Number(
                id=name,
                headline=False,
                values=tuple(found.values.tolist()),
                intervals=tuple(found.estimate(run) for run in range(len(runs))),
                tests=tuple(found.difference(0, other) for other in range(1, len(runs))),
                adjusted=(None,) * (len(runs) - 1),
                ranks=_ranked(runs, partial(average_influence, columns), seed),
                partial=any(member.partial for member in members),
                column=None,
            )
        )
    return tuple(averages), absent
