"""The one loop: ask a model every sample that it has not answered yet, and score what it said."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from egobench import __version__
from egobench.controls import limited
from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import ModelError, SampleSetError
from egobench.loop.ask import Asking, Observer, Settings, Silent, ask, frame_rule
from egobench.model import Encoder, Method, Model, ModelInfo, ScoresOptions
from egobench.plugins import load_task
from egobench.prompts import LETTERS, prompt_hash
from egobench.retrieval.gallery import gallery_of, score_rows
from egobench.retrieval.rerank import Rerank
from egobench.retrieval.tables import read_rows
from egobench.run.spec import RunSpec, SetRef, spec_from_json
from egobench.run.store import Run, open_run, read_run
from egobench.run.usage import usage
from egobench.scoring.score import Part, score, score_judged, submission
from egobench.task import Subset, Task


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run.

    Attributes:
        path: Its folder.
        scores: Entry by protocol id, as in ``scores.json``.
        usage: What its answers took, as in ``usage.json``.
    """

    path: Path
    scores: Mapping[str, dict[str, Any]]
    usage: Mapping[str, Any]


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
    work = plan(sets, settings)
    check(model, work, settings)
    with open_run(out, run_spec(model.info, work, settings), recorded or {}) as run:
        for part in work:
            ask(Asking(part, run, model, videos, settings, observer))
        return conclude(run, work, seed=settings.seed)


def conclude(run: Run, parts: Sequence[Part], *, seed: int) -> Result:
    """Score what a run holds, sum up what it took, and write both down.

    Args:
        run: The run.
        parts: Its parts.
        seed: Seed of bootstrap replicates.

    Raises:
        StoreError: If the run folder is damaged or cannot be written.
    """
    scores: dict[str, dict[str, Any]] = {}
    files: dict[str, str] = {}
    judgements = run.judgements()
    for part in parts:
        if part.sample_set.gallery:
            rows, scored = read_rows(run, part)
            scores.update(score_rows(rows, part.sample_set, scored, seed=seed))
            continue
        answers = run.by_order(part.name)
        scores.update(score(part, answers, seed=seed))
        if part.subset.protocol == "open":
            scores.update(score_judged(part, answers.get(0, {}), judgements, seed=seed))
        files.update(submission(part, answers))
    given = (run.by_order(part.name).values() for part in parts)
    used = usage(one for orders in given for predictions in orders for one in predictions.values())
    run.finish(scores, {**files, "usage.json": json.dumps(used, indent=1) + "\n"})
    return Result(run.path, scores, used)


def check(model: Model, parts: Sequence[Part], settings: Settings) -> None:
    """See that a model can do what a run would ask of it, before anything is written.

    Raises:
        ModelError: If the model cannot.
        ValueError: If the settings go together with no model.
    """
    name = model.info.name
    _check_prior(model.info, parts, settings)
    if settings.method != "generate" and not isinstance(model, ScoresOptions):
        hint = "choose another model to score texts again" if settings.rerank else "use --method generate"
        raise ModelError(f"model {name!r} cannot score options; {hint}")
    for part in parts:
        if part.subset.protocol != "gallery":
            continue
        if not isinstance(model, Encoder):
            raise ModelError(
                f"model {name!r} does not embed clips and texts, so it cannot score the gallery of "
                f"{part.sample_set.name}; have it score a retriever's best texts: --rerank RUN"
            )
        if frame_rule(part.task, model.info, settings) is None:
            raise ValueError(
                f"{part.sample_set.name} is a gallery, and a clip without frames has no embedding: blind is impossible "
                "there; choose other sample sets with --tasks or --construction"
            )


def _check_prior(info: ModelInfo, parts: Sequence[Part], settings: Settings) -> None:
    prior = settings.text_prior
    if not 0 <= prior < math.inf:
        raise ValueError(f"text prior {prior}; expected a finite number, 0 or more")
    if not prior:
        return
    if settings.method == "generate":
        raise ValueError(
            "a reply has no score to take a text prior off; with --text-prior, give --method likelihood-..."
        )
    if any(part.text_prior and frame_rule(part.task, info, settings) is None for part in parts):
        raise ValueError(
            "a text prior is what options score without the video, and this run shows none: leave out --text-prior, or "
            "show frames"
        )


def plan(sets: Sequence[SampleSet], settings: Settings) -> list[Part]:
    """The parts of a run, sorted by task and subset.

    Raises:
        PluginError: If a sample set's task is not installed.
        ValueError: If a retriever's best texts are to be scored again, and a set has no gallery or the method makes no
            scores of that many.
    """
    parts: list[Part] = []
    for sample_set in sorted(sets, key=lambda one: one.name):
        task = load_task(sample_set.manifest.task)
        if sample_set.gallery or settings.rerank:
            parts.append(_gallery_part(task, sample_set, settings))
            continue
        for subset in task.subsets:
            samples = tuple(sample for sample in sample_set.samples if sample.subset == subset.name)
            asked = tuple(limited(samples, settings.limit, settings.seed))
            method: Method = settings.method if subset.protocol == "mcq" else "generate"
            orders = settings.orders if subset.protocol == "mcq" else 1
            prior = settings.text_prior if subset.protocol == "mcq" else 0.0
            if samples:
                part = Part(task, sample_set, subset, samples, asked, method, settings.control, orders)
                parts.append(replace(part, text_prior=prior))
    return parts


def _gallery_part(task: Task, sample_set: SampleSet, settings: Settings) -> Part:
    headline, samples = next(iter(gallery_of(sample_set).metrics)), sample_set.samples
    asked = tuple(limited(samples, settings.limit, settings.seed))
    if settings.rerank is None:
        subset = Subset("all", "gallery", headline)
        return Part(task, sample_set, subset, samples, asked, "embedding", settings.control)
    top = settings.rerank.top
    if settings.method == "generate":
        raise ValueError("a reply ranks no texts: with --rerank, give --method likelihood-sum or likelihood-mean")
    if settings.method == "likelihood-letter" and min(top, len(sample_set.gallery)) > len(LETTERS):
        raise ValueError(
            f"{top} texts are more than there are letters ({len(LETTERS)}); give --method likelihood-sum or "
            f"likelihood-mean, or --top {len(LETTERS)}"
        )
    subset, retriever = Subset("all", "rerank", headline), settings.rerank.name(sample_set.name)
    part = Part(task, sample_set, subset, samples, asked, settings.method, settings.control, retriever=retriever)
    return replace(part, text_prior=settings.text_prior)


def settings_of(spec: RunSpec) -> Settings:
    """What decides the parts of a run that was made before."""
    rerank = None if spec.rerank is None else Rerank(**spec.rerank)
    settings = Settings(spec.method, spec.control, limit=spec.limit, seed=spec.seed, orders=spec.orders, rerank=rerank)
    return replace(settings, text_prior=spec.text_prior)


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
    sets = {one.manifest.sha256: one for one in found}
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
        sets=tuple(SetRef(held.task, held.task_version, held.construction, held.sha256) for held in manifests.values()),
        prompt=f"{settings.prompt}@{prompt_hash(settings.prompt)}",
        frames={part.task.name: asdict(rule) for part in parts if (rule := frame_rule(part.task, info, settings))},
        method=settings.method,
        control=settings.control,
        limit=settings.limit,
        seed=settings.seed,
        harness=__version__,
        orders=settings.orders,
        rerank=_rerank_spec(settings.rerank),
        text_prior=float(settings.text_prior),
    )


def _rerank_spec(rerank: Rerank | None) -> dict[str, Any] | None:
    return None if rerank is None else {"top": rerank.top, "sha256": dict(sorted(rerank.sha256.items()))}
