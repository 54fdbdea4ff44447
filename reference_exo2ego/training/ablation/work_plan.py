"""Everything that an ablation trains and asks, each part once, planned and checked before any of it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reference_exo2ego.training.recipe import Recipe, override

from .chains import Counts, Step, chain_of
from .costs import Costs
from .identity import Digests, fingerprint
from .outside import OutsideFiles
from .selection import Ablation
from .variants import Variant


class StageJob(NamedTuple):
    """A training of one stage.

    Attributes:
        id: Fingerprint of the training.
        step: The training.
        before: Fingerprint of the training that it begins from; ``None`` for the recipe's start.
    """

    id: str
    step: Step
    before: str | None


class VariantRun(NamedTuple):
    """A variant under one seed, to be asked the test questions.

    Attributes:
        variant: The variant.
        seed: Seed of its trainings.
        stage: Fingerprint of the training that it answers with.
    """

    variant: Variant
    seed: int
    stage: str


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """All trainings and runs of an ablation.

    Attributes:
        stages: Trainings by fingerprint, each behind the one that it begins from.
        runs: The runs, seed by seed.
    """

    stages: Mapping[str, StageJob]
    runs: Sequence[VariantRun]

    def chain(self, variant_run: VariantRun) -> list[StageJob]:
        """Return the trainings of a variant, in order."""
        chain: list[StageJob] = []
        place: str | None = variant_run.stage
        while place is not None:
            chain.append(self.stages[place])
            place = self.stages[place].before
        return chain[::-1]


def plan_work(
    recipe: Recipe, data: Path, ablation: Ablation, *, seeds: Sequence[int], costs: Costs, outside: OutsideFiles
) -> WorkPlan:
    """Plan the trainings and runs of an ablation.

    Args:
        recipe: The recipe that is varied.
        data: Folder that paths of the recipe are below.
        ablation: The variants.
        seeds: Seeds of the trainings.
        costs: What steps cost, for variants of the same cost.
        outside: Files of exocentric samples.

    Raises:
        RecipeError: If a variant contradicts itself or lacks data.
        TrainingDataError: If a file of data cannot be read.
        AnnotationError: If a row of it cannot be.
    """
    digests, counts = Digests(data), Counts(costs.steps, costs.operations)
    stages: dict[str, StageJob] = {}
    runs: list[VariantRun] = []
    for seed in seeds:
        base = override(recipe, [f"seed={seed}"])
        for variant in ablation.variants.values():
            before: str | None = None
            for step in chain_of(variant, base, outside, counts):
                id_ = fingerprint(step, before, digests)
                stages.setdefault(id_, StageJob(id_, step, before))
                before = id_
            if before is not None:
                runs.append(VariantRun(variant, seed, before))
    return WorkPlan(stages, runs)
