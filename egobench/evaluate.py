"""The one loop: ask a model every sample that it has not answered yet, and score what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from egobench import __version__
from egobench.asking import Asking, Observer, Settings, Silent, ask, frame_rule
from egobench.controls import limited
from egobench.errors import ModelError, SampleSetError
from egobench.model import Method, Model, ModelInfo, ScoresOptions
from egobench.plugins import load_task
from egobench.prompts import prompt_hash
from egobench.sampleset import SampleSet, find_sets
from egobench.scoring import Part, score, score_judged, submission
from egobench.store import Run, RunSpec, SetRef, open_run, read_run, spec_from_json


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run.

    Attributes:
        path: Its folder.
        scores: Entry by protocol id, as in ``scores.json``.
    """

    path: Path
    scores: Mapping[str, dict[str, Any]]


def evaluate(
    model: Model,
    sets: Sequence[SampleSet],
    videos: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> Result:
    """Evaluate a model, going on where an earlier call of the same run stopped.

    Args:
        model: The model.
        sets: The sample sets.
        videos: Folder of videos, or of one folder of videos a task.
        out: Folder of runs.
        settings: How it is done.
        observer: Who is told how it goes.
        recorded: What ``run.json`` keeps beside the spec: library versions, hardware, command.

    Returns:
        The run's folder and its scores. Videos that cannot be read are outcomes, not errors.

    Raises:
        ModelError: If the model cannot do what the method asks.
        StoreError: If the run folder cannot be used.
        ValueError: If the control is impossible for a sample set.
    """
    settings, observer = settings or Settings(), observer or Silent()
    if settings.method != "generate" and not isinstance(model, ScoresOptions):
        raise ModelError(f"model {model.info.name!r} cannot score options; use --method generate")
    work = plan(sets, settings)
    with open_run(out, run_spec(model.info, work, settings), recorded or {}) as run:
        for part in work:
            ask(Asking(part, run, model, videos, settings, observer))
        return Result(run.path, conclude(run, work, seed=settings.seed))


def conclude(run: Run, parts: Sequence[Part], *, seed: int) -> dict[str, dict[str, Any]]:
    """Score what a run holds and write it down.

    Args:
        run: The run.
        parts: Its parts.
        seed: Seed of bootstrap replicates.

    Returns:
        Entry by protocol id, as in ``scores.json``.

    Raises:
        StoreError: If the run folder is damaged or cannot be written.
    """
    scores: dict[str, dict[str, Any]] = {}
    files: dict[str, str] = {}
    judgements = run.judgements()
    for part in parts:
        answers = run.by_order(part.name)
        scores.update(score(part, answers, seed=seed))
        if part.subset.protocol == "open":
            scores.update(score_judged(part, answers.get(0, {}), judgements, seed=seed))
        files.update(submission(part, answers))
    run.finish(scores, files)
    return scores


def plan(sets: Sequence[SampleSet], settings: Settings) -> list[Part]:
    """The parts of a run, sorted by task and subset.

    Raises:
        PluginError: If a sample set's task is not installed.
        ValueError: If a set is a gallery, which is scored as a whole and not asked.
    """
    galleries = [one.name for one in sets if one.gallery]
    if galleries:
        raise ValueError(f"{galleries[0]} is a gallery; it takes a table of scores, see egobench.gallery")
    parts: list[Part] = []
    for sample_set in sorted(sets, key=lambda one: one.name):
        task = load_task(sample_set.manifest.task)
        for subset in task.subsets:
            samples = tuple(sample for sample in sample_set.samples if sample.subset == subset.name)
            asked = tuple(limited(samples, settings.limit, settings.seed))
            method: Method = settings.method if subset.protocol == "mcq" else "generate"
            orders = settings.orders if subset.protocol == "mcq" else 1
            if samples:
                parts.append(Part(task, sample_set, subset, samples, asked, method, settings.control, orders))
    return parts


def settings_of(spec: RunSpec) -> Settings:
    """What decides the parts of a run that was made before."""
    return Settings(spec.method, spec.control, limit=spec.limit, seed=spec.seed, orders=spec.orders)


def sets_of(path: Path, data: Path | None = None, tasks: Sequence[str] | None = None) -> list[SampleSet]:
    """The sample sets that a run was asked.

    Args:
        path: The run folder.
        data: Folder of sample sets; ``None`` for where they were when it ran.
        tasks: Only those of these tasks; ``None`` for all.

    Returns:
        In the order of the spec.

    Raises:
        StoreError: If the folder holds no run, or one of another version.
        SampleSetError: If a sample set is gone or is not the one that was asked.
    """
    held, recorded = read_run(path)
    asked = [one for one in spec_from_json(held).sets if tasks is None or one.task in tasks]
    if data is None and "data" not in recorded:
        raise SampleSetError(f"{path} does not say where its sample sets are; give --data")
    folder = data or Path(recorded["data"])
    found = [SampleSet.read(one) for one in find_sets(folder)]
    sets = {one.manifest.samples_sha256: one for one in found}
    missing = [f"{one.task}/{one.construction}" for one in asked if one.sha256 not in sets]
    if missing:
        raise SampleSetError(
            f"{folder} does not hold what {path} was asked: {', '.join(missing)} is missing or differs; give --data"
        )
    return [sets[one.sha256] for one in asked]


def run_spec(info: ModelInfo, parts: Sequence[Part], settings: Settings) -> RunSpec:
    """What identifies a run."""
    manifests = {part.sample_set.name: part.sample_set.manifest for part in parts}
    return RunSpec(
        model=asdict(info),
        sets=tuple(
            SetRef(held.task, held.task_version, held.construction, held.samples_sha256) for held in manifests.values()
        ),
        prompt=f"{settings.prompt}@{prompt_hash(settings.prompt)}",
        frames={part.task.name: asdict(rule) for part in parts if (rule := frame_rule(part.task, info, settings))},
        method=settings.method,
        control=settings.control,
        limit=settings.limit,
        seed=settings.seed,
        harness=__version__,
        orders=settings.orders,
    )
