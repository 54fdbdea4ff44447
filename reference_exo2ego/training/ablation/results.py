"""Results of an ablation: differences of variants over the same questions, and how far seeds differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np

from egobench.dataset.sampleset import SampleSet
from egobench.errors import StoreError
from egobench.run.plan import plan
from egobench.run.store import Run, read_run
from egobench.scoring.entry import metric_id
from egobench.scoring.score import score_samples
from egobench.statistics import Estimate, PairedTest
from egobench.statistics.average import average
from egobench.statistics.resampling import Column, Resampled, column
from egobench.whole_file import replace_file
from reference_exo2ego.training.tracking import LOG, read_log

from .costs import Costs
from .questions import MeanScore, Questions
from .selection import Ablation
from .variants import Row, Variant
from .work_plan import VariantRun, WorkPlan
from .workspace import Workspace

RESULTS = "results.json"


@dataclass(frozen=True, slots=True)
class Spread:
    """A number by seed.

    Attributes:
        values: The number by seed.
        sd: Standard deviation over seeds; ``None`` for a single seed.
    """

    values: Mapping[int, float]
    sd: float | None


@dataclass(frozen=True, slots=True)
class VariantResult:
    """The scores of a variant, and what its trainings took.

    Attributes:
        variant: The variant.
        runs: Run folder by seed.
        estimate: The mean over seeds of its mean score, with its interval over questions by source video.
        seeds: Its mean score by seed.
        scores: The mean over seeds of each member of the mean score, by id.
        steps: Stage and number of steps of its trainings, in order.
        operations: Floating-point operations of its trainings.
        seconds: Seconds that its trainings took, those that it shares included; ``None`` where a log lacks them.
    """

    variant: Variant
    runs: Mapping[int, Path]
    estimate: Estimate
    seeds: Spread
    scores: Mapping[str, float]
    steps: Sequence[tuple[str, int]]
    operations: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A variant minus the one that it is compared with.

    Attributes:
        test: Of the means over seeds that both have, over the same questions, clustered by source video.
        seeds: By seed.
    """

    test: PairedTest
    seeds: Spread


class Answers(NamedTuple):
    """Scored answers of finished runs, side by side.

    Attributes:
        runs: Variant and seed, in the order of the columns' runs.
        columns: Members of the mean score by id.
        mean: The mean score under one resampling of source videos for all runs.
    """

    runs: list[tuple[str, int]]
    columns: dict[str, Column]
    mean: Resampled

    def places(self, variant: str, seeds: Sequence[int]) -> list[int]:
        """Return the places of a variant's runs in :attr:`runs`."""
        return [self.runs.index((variant, seed)) for seed in seeds]

    def seeds(self, variant: str) -> list[int]:
        """Return the seeds of a variant's runs."""
        return [seed for name, seed in self.runs if name == variant]


def read_answers(runs: Mapping[tuple[str, int], Path], sets: Sequence[SampleSet], score: MeanScore) -> Answers:
    """Read the answers of finished runs.

    Args:
        runs: Run folder by variant and seed, at least one.
        sets: The sample sets.
        score: What is compared.

    Raises:
        StoreError: If a run is damaged.
    """
    with_options = [sample_set for sample_set in sets if not sample_set.gallery]
    scored: dict[str, list[Any]] = {score_id: [] for score_id in score.ids}
    metrics: dict[str, Any] = {}
    for path in runs.values():
        run_file = read_run(path)
        run = Run(path, run_file.spec)
        for part in plan(with_options, run_file.spec.settings()):
            score_id = metric_id(part.id, part.subset.headline)
            if score_id not in scored:
                continue
            samples = score_samples(part.selected, run.predictions(part.name))
            if len(samples) < len(part.selected):
                raise StoreError(f"{path}: {len(samples)} of {len(part.selected)} samples of {part.name} were asked")
            scored[score_id].append(samples)
            metrics[score_id] = part.task.metrics_of(part.subset)[part.subset.headline]
    columns = {score_id: column(metrics[score_id], scored[score_id]) for score_id in score.ids}
    return Answers(list(runs), columns, average(list(columns.values())))


def estimate_of(answers: Answers, variant: str) -> Estimate:
    """Estimate the mean over seeds of a variant's mean score."""
    return _pooled(answers, answers.places(variant, answers.seeds(variant))).estimate(0)


def difference_of(answers: Answers, variant: str, against: str) -> Difference | None:
    """Test a variant against another one; ``None`` where no seed has both.

    The values of a question are averaged over seeds first, so that the interval is over questions alone: it says what
    other videos would have given, with these very models. What other seeds would have given is the spread.
    """
    seeds = [seed for seed in answers.seeds(variant) if seed in answers.seeds(against)]
    if not seeds:
        return None
    ours, theirs = answers.places(variant, seeds), answers.places(against, seeds)
    values = {
        seed: float(answers.mean.values[a] - answers.mean.values[b])
        for seed, a, b in zip(seeds, ours, theirs, strict=True)
    }
    return Difference(_pooled(answers, ours, theirs).difference(0, 1), spread(values))


def spread(values: Mapping[int, float]) -> Spread:
    """Return values by seed with their standard deviation."""
    return Spread(values, stdev(values.values()) if len(values) > 1 else None)


def _pooled(answers: Answers, *groups: Sequence[int]) -> Resampled:
    """Average groups of runs, under the resampling that all runs share."""
    mean = answers.mean
    values = np.array([mean.values[list(group)].mean() for group in groups])
    replicates = np.stack([mean.replicates[:, list(group)].mean(axis=1) for group in groups], axis=1)
    return Resampled(values, replicates, mean.n, mean.clusters, mean.least)


def collect(
    workspace: Workspace,
    ablation: Ablation,
    work: WorkPlan,
    sets: Sequence[SampleSet],
    score: MeanScore,
    *,
    questions: Questions,
    costs: Costs,
) -> dict[str, Any]:
    """Make the content of ``results.json`` out of all finished runs.

    Args:
        workspace: The folder of the ablation.
        ablation: The variants.
        work: The trainings and runs.
        sets: The sample sets.
        score: What is compared.
        questions: How many questions were asked.
        costs: What steps cost.

    Raises:
        StoreError: If nothing is finished, or a run is damaged.
    """
    finished = {
        (variant_run.variant.name, variant_run.seed): (variant_run, run)
        for variant_run in work.runs
        if (run := workspace.run_of(variant_run)) is not None
    }
    if not finished:
        raise StoreError(f"{workspace.folder}: nothing was asked yet; run exo2ego ablate without --dry-run")
    answers = read_answers({key: run for key, (_, run) in finished.items()}, sets, score)
    results = {
        name: _result(variant, workspace, work, answers, finished, costs)
        for name, variant in ablation.variants.items()
        if answers.seeds(name)
    }
    return {
        "recipe": workspace.recipe.name,
        "fingerprint": workspace.recipe.fingerprint,
        "score": {"name": score.name, "ids": list(score.ids)},
        "method": workspace.method,
        "questions": questions._asdict(),
        "seeds": sorted({seed for _, seed in finished}),
        "variants": {name: _variant_json(workspace, result) for name, result in results.items()},
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "note": table.note,
                "rows": [_row_json(row, answers) for row in table.rows if row.variant in results],
            }
            for table in ablation.tables
        ],
        "absent": dict(ablation.absent),
    }


def write_results(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write ``results.json``."""
    path = folder / RESULTS
    replace_file(path, json.dumps(content, indent=1) + "\n")
    return path


def trained_seconds(folder: Path) -> float | None:
    """Return how many seconds the steps of a training took, out of its log; ``None`` without any steps in it."""
    rows = [row for row in read_log(folder / LOG) if row.get("kind") == "step"]
    if not rows:
        return None
    return fmean(float(row["seconds"]) for row in rows) * max(int(row["step"]) for row in rows)


def _result(
    variant: Variant,
    workspace: Workspace,
    work: WorkPlan,
    answers: Answers,
    finished: Mapping[tuple[str, int], tuple[VariantRun, Path]],
    costs: Costs,
) -> VariantResult:
    seeds = answers.seeds(variant.name)
    places = answers.places(variant.name, seeds)
    chain = work.chain(finished[variant.name, seeds[0]][0])
    seconds = [trained_seconds(workspace.stage_folder(job)) for job in chain]
    return VariantResult(
        variant=variant,
        runs={seed: finished[variant.name, seed][1] for seed in seeds},
        estimate=estimate_of(answers, variant.name),
        seeds=spread({seed: float(answers.mean.values[place]) for seed, place in zip(seeds, places, strict=True)}),
        scores={score_id: float(part.values()[places].mean()) for score_id, part in answers.columns.items()},
        steps=[(job.step.stage, costs.steps(job.step)) for job in chain],
        operations=sum(costs.steps(job.step) * costs.operations(job.step) for job in chain),
        seconds=None if None in seconds else sum(of_stage or 0.0 for of_stage in seconds),
    )


def _variant_json(workspace: Workspace, result: VariantResult) -> dict[str, Any]:
    variant = result.variant
    return {
        "about": variant.about,
        "overrides": list(variant.overrides),
        "encoders": variant.encoders,
        "pretrained": variant.pretrained,
        "finetuned": variant.finetuned,
        "ego_share": variant.ego_share,
        "ends": variant.ends,
        "prompt": variant.prompt,
        "runs": {seed: str(run.relative_to(workspace.folder)) for seed, run in result.runs.items()},
        **asdict(result.estimate),
        "by_seed": dict(result.seeds.values),
        "seed_sd": result.seeds.sd,
        "scores": dict(result.scores),
        "steps": [[stage, steps] for stage, steps in result.steps],
        "operations": result.operations,
        "seconds": result.seconds,
    }


def _row_json(row: Row, answers: Answers) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    against = row.against if row.against and answers.seeds(row.against) else None
    difference = None if against is None else difference_of(answers, row.variant, against)
    if difference is not None:
        values["difference"] = asdict(difference.test)
        values["difference_by_seed"] = dict(difference.seeds.values)
        values["difference_sd"] = difference.seeds.sd
    return values
