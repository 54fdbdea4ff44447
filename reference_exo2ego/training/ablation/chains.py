"""The trainings of a variant, each as a stage of a recipe that varies only in what decides this stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from egobench.errors import RecipeError
from reference_exo2ego.model.configuration import TrainTable
from reference_exo2ego.model.stages import STAGES
from reference_exo2ego.training.batches import TrainingStage
from reference_exo2ego.training.recipe import Recipe, StageRecipe, override, recipe_of

from .outside import OutsideFiles, asked_about, files_of, joined, seen_by_one
from .variants import Variant

ORDER: Final[tuple[TrainingStage, ...]] = ("language", *STAGES)
"""The stages, in order."""

LATE: Final = ("mapping", "fuse", "kl", "kl_temperature", "ccl")
"""Switches of the model that no stage before stage 2 reads."""

CAPTIONED: Final[tuple[TrainingStage, ...]] = ("init", "stage1", "stage2")
"""Stages that train on captions."""


class Step(NamedTuple):
    """A training that begins from the one before it.

    Attributes:
        recipe: The recipe, with the values of the unvaried one wherever they do not decide this stage.
        stage: The stage of it that is trained.
    """

    recipe: Recipe
    stage: TrainingStage

    @property
    def trained(self) -> StageRecipe:
        """The stage."""
        return self.recipe.stage(self.stage)


class Counts(NamedTuple):
    """How to count what a training takes.

    Attributes:
        steps: Returns the steps of a training.
        operations: Returns the floating-point operations of a step.
    """

    steps: Callable[[Step], int]
    operations: Callable[[Step], float]


def chain_of(variant: Variant, base: Recipe, outside: OutsideFiles, counts: Counts) -> tuple[Step, ...]:
    """Return the trainings of a variant, in order.

    Args:
        variant: The variant.
        base: The recipe that it varies, with the seed.
        outside: Files of exocentric samples.
        counts: How long stages are: one encoder is trained for as many operations as two.

    Raises:
        RecipeError: If the variant contradicts itself, or lacks data.
    """
    try:
        if variant.encoders == "one":
            return _one_encoder(variant, base, outside, counts)
        varied = override(_thinned(base, variant.ego_share, counts), variant.overrides)
        last = variant.ends or base.trained[-1].name
        return tuple(
            Step(only_what_decides(varied, base, stage.name), stage.name)
            for stage in base.trained
            if ORDER.index(stage.name) <= ORDER.index(last)
        )
    except RecipeError as error:
        raise RecipeError(f"variant {variant.name}: {error}") from error


def lacking(variants: Iterable[Variant], base: Recipe, outside: OutsideFiles) -> dict[str, str]:
    """Find variants that lack exocentric questions, and say why they cannot be trained.

    Args:
        variants: The variants.
        base: The recipe that they vary.
        outside: Files of exocentric samples.

    Raises:
        AnnotationError: If a file cannot be read.
    """
    exocentric = [variant.name for variant in variants if variant.encoders == "one" and variant.finetuned != "ego"]
    if not exocentric or files_of(asked_about(base.stage("stage3").source.model_dump(mode="python"), "exo", outside)):
        return {}
    return dict.fromkeys(
        exocentric,
        "no exocentric questions; they lie beside a file of egocentric ones, as egoit.exo.jsonl beside egoit.jsonl",
    )


def only_what_decides(varied: Recipe, base: Recipe, stage: TrainingStage) -> Recipe:
    """Undo all variations of a recipe that do not decide a stage, so that variants can share its training.

    Args:
        varied: The varied recipe.
        base: The recipe that it varies.
        stage: The stage.

    Raises:
        RecipeError: If the two cannot be put together.
    """
    place = ORDER.index(stage)
    values, others = varied.model_dump(mode="python"), base.model_dump(mode="python")
    model, unvaried = values["model"], others["model"]
    if place < ORDER.index("stage2"):
        model |= {name: unvaried[name] for name in LATE}
        model["weights"] |= {name: unvaried["weights"][name] for name in ("kl", "ccl")}
    if not any(ORDER.index(first) <= place for first in varied.model.train.low_rank):
        model["low_rank"] = unvaried["low_rank"]
    for row in TrainTable.model_fields:
        until = [name for name in model["train"][row] if ORDER.index(name) <= place]
        later = [name for name in unvaried["train"][row] if ORDER.index(name) > place]
        model["train"][row] = (*until, *later)
    values["stages"] = [
        *(stage_values for stage_values in values["stages"] if ORDER.index(stage_values["name"]) <= place),
        *(stage_values for stage_values in others["stages"] if ORDER.index(stage_values["name"]) > place),
    ]
    return recipe_of(values | {"name": base.name, "about": base.about}, f"{stage} of recipe {varied.name}")


def _thinned(base: Recipe, share: float, counts: Counts) -> Recipe:
    """Thin the egocentric videos of a recipe to a share; the number of steps stays."""
    if share >= 1:
        return base
    values = base.model_dump(mode="python")
    for stage in values["stages"]:
        if stage["name"] == "language":
            continue
        stage |= {"epochs": None, "steps": counts.steps(Step(base, stage["name"]))}
        for file in files_of(stage["source"]):
            if file["view"] != "exo":
                file["share"] *= share
    return recipe_of(values, f"recipe {base.name} with {100 * share:g} % of the egocentric videos")


def _one_encoder(variant: Variant, base: Recipe, outside: OutsideFiles, counts: Counts) -> tuple[Step, ...]:
    """Train one encoder on captions, then on questions, each for as many operations as the recipe takes."""
    thinned = _thinned(base, variant.ego_share, counts)
    names = [stage.name for stage in base.trained]
    captioned: list[TrainingStage] = [name for name in CAPTIONED if name in names]
    sources = [thinned.stage(name).source.model_dump(mode="python") for name in captioned]
    captions = seen_by_one(sources[0], variant.pretrained, outside)
    for name, source in zip(captioned[1:], sources[1:], strict=True):
        captions = joined(captions, seen_by_one(source, variant.pretrained, outside), name)
    questions = asked_about(thinned.stage("stage3").source.model_dump(mode="python"), variant.finetuned, outside)
    table = base.model.train
    first = _alone(thinned, captioned[0], captions, _rows(table, captioned))
    second = _alone(thinned, "stage3", questions, _rows(table, ["stage3"]))
    before = [Step(base, stage.name) for stage in base.stages if stage.name == "language"]
    return (
        *before,
        _matched(first, base, [Step(base, name) for name in captioned], counts),
        _matched(second, base, [Step(base, "stage3")], counts),
    )


def _rows(table: TrainTable, stages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the table of what trains with one encoder: what trained in some stages trains in ``init`` instead."""
    read = ("ego_encoder", "connector", "delimiters", "language", "low_rank")
    return {
        row: ("init",) if row in read and set(getattr(table, row)) & set(stages) else ()
        for row in TrainTable.model_fields
    }


def _alone(base: Recipe, stage: str, source: dict[str, Any], rows: dict[str, tuple[str, ...]]) -> Recipe:
    """Return a recipe with another stage in the place of the initialization, under another source."""
    if not files_of(source):
        raise RecipeError(f"no file with such a view is left to train on in place of {stage}; leave the variant out")
    values = base.model_dump(mode="python")
    values["model"]["train"] = rows
    values["stages"] = [
        *(stage_values for stage_values in values["stages"] if stage_values["name"] == "language"),
        next(stage_values for stage_values in values["stages"] if stage_values["name"] == stage)
        | {"name": "init", "source": source, "one_encoder": False},
    ]
    return recipe_of(values, f"recipe {base.name} with one encoder")


def _matched(varied: Recipe, base: Recipe, replaced: Sequence[Step], counts: Counts) -> Step:
    """Return the initialization of a recipe, with as many operations as some other trainings together."""
    step = Step(only_what_decides(varied, base, "init"), "init")
    if not step.recipe.model.trained_in("init"):
        raise RecipeError("with one encoder nothing trains in what takes the place of " + replaced[0].stage)
    total = sum(counts.steps(other) * counts.operations(other) for other in replaced)
    steps = max(1, round(total / counts.operations(step)))
    values = step.recipe.model_dump(mode="python")
    for stage_values in values["stages"]:
        if stage_values["name"] == "init":
            stage_values |= {"epochs": None, "steps": steps}
    return Step(recipe_of(values, f"recipe {base.name} with one encoder"), "init")
