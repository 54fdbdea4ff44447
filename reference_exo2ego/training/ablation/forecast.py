"""How much is left to do of an ablation, and how long it takes."""

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
from .work import Asking, Bench, StageJob, WorkPlan, asking_request


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
    """All of it.

    Attributes:
        stages: The trainings.
        unshared: How many there would be if variants shared none.
        askings: How many variants and seeds are asked.
        asked: How many of them were asked.
        asking_seconds: How long it takes to ask one of them.
    """

    stages: Sequence[StageForecast]
    unshared: int
    askings: int
    asked: int
    asking_seconds: float

    @property
    def seconds(self) -> float:
        """What is left."""
        training = sum(stage.seconds for stage in self.stages if not stage.done)
        return training + (self.askings - self.asked) * self.asking_seconds

    def to_json(self) -> dict[str, Any]:
        """The forecast as a JSON object."""
        return {
            "stages": [stage.to_json() for stage in self.stages],
            "stages_without_sharing": self.unshared,
            "askings": self.askings,
            "asked": self.asked,
            "seconds_of_an_asking": self.asking_seconds,
            "hours": self.seconds / 3600,
        }


def forecast_work(bench: Bench, work: WorkPlan, sets: Sequence[SampleSet], costs: Costs) -> WorkForecast:
    """What is left to do, and how long it takes on this machine as it is now, one after the other.

    Args:
        bench: Where it is done.
        work: All of it.
        sets: The sample sets that are asked about.
        costs: What steps cost.

    Raises:
        EgoBenchError: If a model cannot be made or asked.
    """
    users: dict[str, list[str]] = {}
    for asking in work.askings:
        for job in work.chain(asking):
            users.setdefault(job.id, []).append(asking.variant.name)
    stages = [
        StageForecast(
            job,
            tuple(dict.fromkeys(users.get(job.id, ()))),
            costs.steps(job.step),
            costs.seconds(job.step),
            costs.steps(job.step) * costs.operations(job.step),
            bench.model_of(job).is_dir(),
        )
        for job in work.stages.values()
    ]
    answered = [asking for asking in work.askings if bench.run_of(asking) is not None]
    unshared = sum(len(names) for names in users.values())
    return WorkForecast(
        stages, unshared, len(work.askings), len(answered), _asking_seconds(bench, work, sets, answered)
    )


def _asking_seconds(bench: Bench, work: WorkPlan, sets: Sequence[SampleSet], answered: Sequence[Asking]) -> float:
    """How long it takes to ask a model: as it took before, else out of a few questions to a random one."""
    seconds = [taken for asking in answered if (taken := bench.seconds_of(asking)) is not None]
    if seconds:
        return sum(seconds) / len(seconds)
    if len(answered) == len(work.askings):
        return 0.0
    stages = [stage.name for stage in bench.recipe.stages]
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "model"
        beginning = begin(bench.recipe, bench.data, None, dtype="float32")
        last: Stage = "stage2" if "stage2" in stages else "init"
        save(beginning.model, checkpoint, last, tokenizer=beginning.tokenizer)
        request = asking_request(bench, checkpoint, Settings(method=bench.method, limit=bench.limit), "")
        loaded = request.load()
        names = {sample_set.name for sample_set in loaded.sets}
        chosen = [sample_set for sample_set in sets if sample_set.name in names]
        return 60 * sum(forecast(loaded, sample_set, bench.videos).minutes for sample_set in chosen)
