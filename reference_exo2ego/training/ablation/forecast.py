"""The forecast of an ablation: what is left to do, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from egobench.dataset.sampleset import SampleSet
from egobench.request import forecast
from egobench.run.spec import Settings
from reference_exo2ego.model.checkpoint import save
from reference_exo2ego.model.stages import Stage
from reference_exo2ego.training.beginning import begin

from .costs import Costs
from .work_plan import StageJob, VariantRun, WorkPlan
from .workspace import Workspace


class StageForecast(NamedTuple):
    """A training in a forecast.

    Attributes:
        job: The training.
        variants: Variants that need it.
        steps: Its steps.
        seconds: How long it takes.
        operations: Floating-point operations of it.
        done: Whether it is done.
    """

    job: StageJob
    variants: tuple[str, ...]
    steps: int
    seconds: float
    operations: float
    done: bool

    def to_json(self) -> dict[str, Any]:
        """The training as a JSON object."""
        return {
            "id": self.job.id,
            "stage": self.job.step.stage,
            "seed": self.job.step.recipe.seed,
            "begins_from": self.job.before,
            "variants": list(self.variants),
            "steps": self.steps,
            "seconds": self.seconds,
            "operations": self.operations,
            "done": self.done,
        }


class WorkForecast(NamedTuple):
    """The trainings and runs of an ablation, and how long they take.

    Attributes:
        stages: The trainings.
        unshared: Number of trainings if variants shared none.
        runs: Number of runs, one per variant and seed.
        finished_runs: Number of runs that are finished.
        run_seconds: Seconds of a run.
    """

    stages: Sequence[StageForecast]
    unshared: int
    runs: int
    finished_runs: int
    run_seconds: float

    @property
    def asking_seconds(self) -> float:
        """Seconds of the runs that are left."""
        return (self.runs - self.finished_runs) * self.run_seconds

    @property
    def seconds(self) -> float:
        """Seconds of all that is left."""
        return sum(stage.seconds for stage in self.stages if not stage.done) + self.asking_seconds

    def to_json(self) -> dict[str, Any]:
        """The forecast as a JSON object."""
        return {
            "stages": [stage.to_json() for stage in self.stages],
            "stages_without_sharing": self.unshared,
            "askings": self.runs,
            "asked": self.finished_runs,
            "seconds_of_an_asking": self.run_seconds,
            "hours": self.seconds / 3600,
        }


def forecast_work(workspace: Workspace, work: WorkPlan, sets: Sequence[SampleSet], costs: Costs) -> WorkForecast:
    """Forecast what is left to do, one part after the other on this machine as it is now.

    Args:
        workspace: The folder, and how trainings and runs are done.
        work: The trainings and runs.
        sets: The sample sets that are asked about.
        costs: What steps cost.

    Raises:
        EgoBenchError: If a model cannot be made or asked.
    """
    users: dict[str, list[str]] = {}
    for variant_run in work.runs:
        for job in work.chain(variant_run):
            users.setdefault(job.id, []).append(variant_run.variant.name)
    stages = [
        StageForecast(
            job,
            tuple(dict.fromkeys(users.get(job.id, ()))),
            costs.steps(job.step),
            costs.seconds(job.step),
            costs.steps(job.step) * costs.operations(job.step),
            workspace.model_of(job).is_dir(),
        )
        for job in work.stages.values()
    ]
    finished = [variant_run for variant_run in work.runs if workspace.run_of(variant_run) is not None]
    unshared = sum(len(names) for names in users.values())
    run_seconds = _run_seconds(workspace, sets, finished, left=len(work.runs) - len(finished))
    return WorkForecast(stages, unshared, len(work.runs), len(finished), run_seconds)


def _run_seconds(
    workspace: Workspace, sets: Sequence[SampleSet], finished: Sequence[VariantRun], *, left: int
) -> float:
    """Forecast the seconds of a run: the mean of finished ones, else out of a few questions to a random model."""
    known = [seconds for variant_run in finished if (seconds := workspace.seconds_of(variant_run)) is not None]
    if known:
        return sum(known) / len(known)
    if not left:
        return 0.0
    stages = [stage.name for stage in workspace.recipe.stages]
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "model"
        beginning = begin(workspace.recipe, workspace.data, None, dtype="float32")
        last: Stage = "stage2" if "stage2" in stages else "init"
        save(beginning.model, checkpoint, last, tokenizer=beginning.tokenizer)
        request = workspace.run_request(checkpoint, Settings(method=workspace.method, limit=workspace.limit), "")
        loaded = request.load()
        names = {sample_set.name for sample_set in loaded.sets}
        chosen = [sample_set for sample_set in sets if sample_set.name in names]
        return 60 * sum(forecast(loaded, sample_set, workspace.videos).minutes for sample_set in chosen)
