"""Runs against one another: paired, clustered, and only over the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from egobench.comparison import ComparedRun, ComparedScore, Comparison
from egobench.errors import ModelError, SampleSetError
from egobench.metrics import Metric
from egobench.retrieval.influence import read_influences
from egobench.run.plan import Part, find_run_sets, plan
from egobench.run.spec import RunSpec
from egobench.run.store import Run, read_run
from egobench.scoring.entry import metric_id
from egobench.scoring.overview import headline_ids
from egobench.scoring.sample_values import RunValues, SampleValues
from egobench.statistics import holm
from egobench.statistics.average import average, average_influence
from egobench.statistics.ranks import RankSet, rank_sets
from egobench.statistics.resampling import Column, Influence
from egobench.task import Gallery

GAINS = {"blind": "visual gain", "shuffled": "temporal gain"}
"""What plain minus control is called; ``gain over <control>`` for the others."""


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
    runs = _read_runs(paths)
    _check_same_sets(runs, tasks)
    sets = find_run_sets(runs[0].path, data, tasks)
    plans = zip(*(plan(sets, run.spec.settings()) for run in runs), strict=True)
    scores: list[ComparedScore] = []
    problems: dict[str, str] = {}
    for parts in plans:
        first = parts[0]
        _check_same_samples(runs, parts)
        if first.gallery is not None:
            scores += _compare_gallery(runs, parts, first.gallery, everything=everything, seed=seed)
            continue
        known = first.task.metrics_of(first.subset)
        metrics = known if everything else {first.subset.headline: known[first.subset.headline]}
        private = _count_private(first)
        part_values = _read_values(runs, parts, {} if private else metrics)
        for name, metric in metrics.items():
            score_id = metric_id(first.id, name)
            if private:
                problems[score_id] = f"the answers of {private} of {len(first.selected)} samples are private"
                continue
            try:
                column = part_values.samples.column(name, metric, part_values.by_run)
                scores.append(_compare_column(runs, first, name, column, seed))
            except ModelError as error:
                problems[score_id] = str(error)
    corrected, family = _correct(scores)
    averages, absent = _averages(runs, corrected, seed)
    return Comparison(runs, corrected, averages, absent, problems, family)


def _read_runs(paths: Sequence[Path]) -> tuple[ComparedRun, ...]:
    files = {path.resolve(): read_run(path) for path in paths}
    if len(files) < 2:
        raise ValueError(f"{len(files)} different run was given; expected at least two to compare")
    ordered = sorted(files.items(), key=lambda item: item[1].spec.control is not None)
    base = ordered[0][1].spec
    own_names = [str(file.recorded.get("name", "")) for _, file in ordered]
    names = [
        name if name and own_names.count(name) == 1 else f"{file.spec.model['name']}/{file.spec.id}"
        for name, (_, file) in zip(own_names, ordered, strict=True)
    ]
    return tuple(
        ComparedRun(name if names.count(name) == 1 else f"{name} ({path})", path, file.spec, *relation(base, file.spec))
        for name, (path, file) in zip(names, ordered, strict=True)
    )


def relation(base: RunSpec, spec: RunSpec) -> tuple[str, tuple[str, ...]]:
    """What the difference is called, and the fields that make it."""
    base_fields, fields = asdict(base), asdict(spec)
    differs = tuple(key for key in fields if base_fields[key] != fields[key] and key not in {"sets", "limit"})
    # A blind run is shown no frames, so its rule of frames is another.
    expected = {"control", "harness", *(["frames"] if spec.control == "blind" else [])}
    if base.control is None and spec.control is not None and set(differs) <= expected:
        return GAINS.get(spec.control, f"gain over {spec.control}"), differs
    return "difference", differs


def _check_same_sets(runs: Sequence[ComparedRun], tasks: Sequence[str] | None) -> None:
    refs = [
        {f"{ref.task}/{ref.construction}": ref for ref in run.spec.sets if tasks is None or ref.task in tasks}
        for run in runs
    ]
    first, first_path = refs[0], runs[0].path
    for run, others in zip(runs[1:], refs[1:], strict=True):
        both = [name for name in first if name in others]
        differ = [name for name in both if first[name].sha256 != others[name].sha256]
        alone = [f"{name} is only in {first_path}" for name in first if name not in others]
        alone += [f"{name} is only in {run.path}" for name in others if name not in first]
        if differ or alone:
            unlike = {*differ, *(first.keys() ^ others.keys())}
            shared = sorted({others[name].task for name in both} - {(first | others)[name].task for name in unlike})
            reasons = [f"{name} has other samples in {first_path} than in {run.path}" for name in differ] + alone
            hint = f"; both have the same of {', '.join(shared)}, see --tasks" if shared else ""
            raise SampleSetError(f"runs over different sample sets cannot be compared: {'; '.join(reasons)}{hint}")
    if not first:
        raise SampleSetError(f"{first_path} has no sample set of {', '.join(tasks or ())}")


def _drawn(run: ComparedRun) -> str:
    """How a run's samples were drawn, in words."""
    return "no limit" if run.spec.limit is None else f"limit {run.spec.limit}, seed {run.spec.seed}"


def _count_private(part: Part) -> int:
    """Samples whose right option is not public."""
    return sum(sample.target is None for sample in part.selected) if part.subset.protocol == "mcq" else 0


class _Values(NamedTuple):
    """The samples of one part, and what each run made of them."""

    samples: SampleValues
    by_run: list[RunValues]


def _read_values(runs: Sequence[ComparedRun], parts: Sequence[Part], metrics: Mapping[str, Metric]) -> _Values:
    """Read one part of all runs, one run after the other."""
    samples = SampleValues(parts[0].selected)
    return _Values(samples, [samples.read(Run(run.path, run.spec), parts[0].name, metrics) for run in runs])


def _check_same_samples(runs: Sequence[ComparedRun], parts: Sequence[Part]) -> None:
    first = parts[0]
    for run, part in zip(runs, parts, strict=True):
        if part.selected != first.selected:
            raise SampleSetError(
                f"runs over different samples of {part.name} cannot be compared: {len(first.selected)} were asked in "
                f"{runs[0].path} ({_drawn(runs[0])}) and {len(part.selected)} in "
                f"{run.path} ({_drawn(run)}); give both the same --limit and --seed"
            )


def _compare_gallery(
    runs: Sequence[ComparedRun], parts: Sequence[Part], gallery: Gallery, *, everything: bool, seed: int
) -> list[ComparedScore]:
    """The metrics of a gallery, or the first of them, of all runs; one table of scores is in memory at a time."""
    first = parts[0]
    headline = next(iter(gallery.metrics))
    metrics = gallery.metrics if everything else {headline: gallery.metrics[headline]}
    relevance = gallery.relevance(first.selected, first.sample_set.gallery)
    by_run = [
        read_influences(Run(run.path, run.spec), part, metrics, relevance)
        for run, part in zip(runs, parts, strict=True)
    ]
    return [
        _compare_influences(runs, first, name, Influence.beside([by_name[name] for by_name in by_run]), seed)
        for name in metrics
    ]


def _compare_influences(
    runs: Sequence[ComparedRun], part: Part, name: str, influence: Influence, seed: int
) -> ComparedScore:
    """A metric of a gallery, of all runs."""
    return ComparedScore(
        id=metric_id(part.id, name),
        headline=part.gallery is not None and name == next(iter(part.gallery.metrics)),
        values=tuple(influence.values.tolist()),
        intervals=(),
        tests=tuple(influence.paired(0, other, n=len(part.selected)) for other in range(1, len(runs))),
        adjusted=(None,) * (len(runs) - 1),
        ranks=_rank(runs, lambda: influence, seed),
        partial=len(part.selected) < len(part.samples),
        column=None,
    )


def _compare_column(runs: Sequence[ComparedRun], part: Part, name: str, column: Column, seed: int) -> ComparedScore:
    """A metric of all runs.

    Raises:
        ModelError: If a package that the metric needs is not installed.
    """
    values = column.values()
    resampled = column.resampled(seed=seed) if column.at_once else None
    return ComparedScore(
        id=metric_id(part.id, name),
        headline=name == part.subset.headline,
        values=tuple(values.tolist()),
        intervals=(),
        tests=tuple(column.paired(0, other, resampled) for other in range(1, len(runs))),
        adjusted=(None,) * (len(runs) - 1),
        ranks=_rank(runs, column.influence, seed),
        partial=len(part.selected) < len(part.samples),
        column=column,
    )


def _rank(runs: Sequence[ComparedRun], influence: Callable[[], Influence], seed: int) -> tuple[RankSet | None, ...]:
    """Rank sets of the runs that see what the first one sees, where there are three or more."""
    ranked = [place for place, run in enumerate(runs) if run.spec.control == runs[0].spec.control]
    if len(ranked) < 3:
        return ()
    whole = influence()
    sets = rank_sets(whole.of_runs(ranked), seed=seed)
    by_place = dict(zip(ranked, sets, strict=True))
    return tuple(by_place.get(place) for place in range(len(runs)))


def _correct(scores: Sequence[ComparedScore]) -> tuple[tuple[ComparedScore, ...], int]:
    """Scores with Holm's p-values over all tests of headline scores, and the number of these tests."""
    family = [(row, test) for row, score in enumerate(scores) if score.headline for test in range(len(score.tests))]
    p_values = [scores[row].tests[test].p for row, test in family]
    adjusted = dict(zip(family, holm(p_values), strict=True))
    corrected = tuple(
        replace(score, adjusted=tuple(adjusted.get((row, test)) for test in range(len(score.tests))))
        for row, score in enumerate(scores)
    )
    return corrected, sum(p is not None for p in p_values)


def _averages(
    runs: Sequence[ComparedRun], scores: Sequence[ComparedScore], seed: int
) -> tuple[tuple[ComparedScore, ...], dict[str, tuple[str, ...]]]:
    """The averages whose ten scores are all there, and what the others lack."""
    by_id = {score.id: score for score in scores}
    ids_of = {"Avg": headline_ids(), "Avg (debiased)": headline_ids("debiased")}
    if ids_of["Avg"] == ids_of["Avg (debiased)"]:
        del ids_of["Avg (debiased)"]
    averages: list[ComparedScore] = []
    absent: dict[str, tuple[str, ...]] = {}
    for name, ids in ids_of.items():
        missing = tuple(score_id for score_id in ids if score_id not in by_id)
        if missing:
            if len(missing) < len(ids):
                absent[name] = missing
            continue
        averages.append(_average(runs, name, [by_id[score_id] for score_id in ids], seed))
    return tuple(averages), absent


def _average(runs: Sequence[ComparedRun], name: str, members: Sequence[ComparedScore], seed: int) -> ComparedScore:
    columns = [member.column for member in members if member.column is not None]
    mean = average(columns, seed=seed)
    return ComparedScore(
        id=name,
        headline=False,
        values=tuple(mean.values.tolist()),
        intervals=tuple(mean.estimate(run) for run in range(len(runs))),
        tests=tuple(mean.difference(0, other) for other in range(1, len(runs))),
        adjusted=(None,) * (len(runs) - 1),
        ranks=_rank(runs, lambda: average_influence([column.influence() for column in columns]), seed),
        partial=any(member.partial for member in members),
        column=None,
    )
