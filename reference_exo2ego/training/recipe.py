"""Recipes: what is trained, on what, and how. A recipe is one typed value that inherits from nothing."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from egobench.errors import ConfigurationError, RecipeError
from egobench.validation import ValueFault, faults_of
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.sizes import Section
from reference_exo2ego.model.stages import PARTS, Part

from .batches import TrainingStage
from .question_recipe import QuestionRows, Transcripts

RECIPES = {"tiny": "tiny", "small": "small", "7b": "paper_7b"}
"""Recipes by name, and the module of each."""

SampleView = Literal["ego", "exo", "pair"]
"""What is seen of a sample: one view of it, or both."""

Share = Annotated[float, Field(ge=0, le=1)]


class FreshStart(Section):
    """Random weights, drawn from the seed; the language model is that of the stage ``language``, if there is one."""

    kind: Literal["fresh"] = "fresh"
    tokenizer: str = "tokenizer"
    """Folder of the tokenizer, below the folder of data; the stage ``language`` hands over its own."""


class PublishedStart(Section):
    """A published VideoLLaMA2: both encoders begin as its tower. The initialization is left out."""

    kind: Literal["published"] = "published"
    checkpoint: str = "VideoLLaMA2-7B"
    """Folder of the checkpoint, below the folder of data."""
    vision: str = ""
    """Folder of its vision tower, likewise; empty for the one that the checkpoint names."""


class PartsStart(Section):
    """CLIP and Mistral; the connector is fresh."""

    kind: Literal["parts"] = "parts"
    clip: str = "clip-vit-large-patch14-336"
    """Folder of CLIP, below the folder of data."""
    mistral: str = "Mistral-7B-Instruct-v0.2"
    """Folder of the language model, likewise."""


class WordsStart(Section):
    """Random weights, and a tokenizer of whole words: those of the rows that the stages train on."""

    kind: Literal["words"] = "words"
    alike: bool = True
    """Whether queries of the language model begin equal to keys and its output to its values, so that attention begins
    by looking for what is alike and copying it (after arXiv 2305.09828). A small model learns to look things up in a
    prefix sooner so."""


Start = Annotated[FreshStart | WordsStart | PublishedStart | PartsStart, Field(discriminator="kind")]


class SampleFile(Section):
    """A file of training samples, see :mod:`reference_exo2ego.data.samples`."""

    path: str
    """Below the folder of data."""
    videos: str = ""
    """Folder of its videos, below the folder of data."""
    view: SampleView = "ego"
    """What is seen of a sample: its video; every exocentric view of it, or its video where it has none; its video with
    every exocentric view. With ``exo`` and ``pair`` a sample is as many clips as it has views."""
    weight: PositiveFloat = 1.0
    """How often each of its clips is shown in an epoch."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of its videos that are kept, chosen by the seed."""


class SampleFiles(Section):
    """Files of training samples as a stage's source."""

    kind: Literal["samples"] = "samples"
    files: tuple[SampleFile, ...]
    group_lengths: bool = True
    """Whether texts of a like length stand in one batch, so that less is filled up."""
    held_out: NonNegativeInt = 64
    """How many clips of each view are left out of training, to validate on."""
    short_side: PositiveInt | None = None
    """Pixels that frames are decoded to; ``None`` for what the encoders see."""


StageSource = Annotated[SampleFiles | QuestionRows | Transcripts, Field(discriminator="kind")]
"""What a stage may train on; several kinds are told apart by ``kind``."""


class StageRecipe(Section):
    """A stage."""

    name: TrainingStage
    source: StageSource
    batch: PositiveInt
    """Clips of a step, on all processes together."""
    micro: PositiveInt
    """Clips that a process computes at once, at most."""
    epochs: PositiveFloat | None = None
    """How often everything is shown; either this or ``steps``."""
    steps: PositiveInt | None = None
    rate: PositiveFloat
    """Learning rate, the highest."""
    rates: dict[Part, PositiveFloat] = Field(default_factory=dict[Part, PositiveFloat])
    """Learning rates of single parts."""
    warmup: Share = 0.03
    """Share of the steps in which the rate rises to its highest."""
    last: Share = 0.0
    """Share of the highest rate that the cosine ends at."""
    unreadable: Share = 0.02
    """The share of clips that may be unreadable before training stops."""
    one_encoder: bool = False
    """Whether the egocentric encoder sees both views, and the exocentric one is a copy of it in the next stage."""

    def steps_at(self, per_epoch: float) -> int:
        """Return the number of steps.

        Args:
            per_epoch: Steps in which everything is shown, more than 0.
        """
        return ceil(round((self.epochs or 0) * per_epoch, 6)) if self.steps is None else self.steps

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise RecipeError(f"stage {self.name}: expected either epochs or steps; set the other one to null")
        if self.one_encoder and self.name != "init":
            raise RecipeError(f"stage {self.name}: one_encoder is for init alone, the stage that trains both encoders")
        if not isinstance(self.source, SampleFiles):
            largest = max(kind.batch for kind in self.source.rows)
            if not self.batch == self.micro == largest:
                raise RecipeError(
                    f"stage {self.name}: batch {self.batch} and micro {self.micro}; its rows have batches of their "
                    f"own, {largest} at most, which are not cut, so both are expected to be {largest}; change "
                    f"{self.name}.source.rows.N.batch, and these with it"
                )
        return self


class Recipe(Section):
    """All of a training."""

    name: str
    about: str = ""
    model: Exo2EgoConfig
    start: Start
    stages: tuple[StageRecipe, ...]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """What is computed in. The optimizer's weights are float32."""
    tf32: bool = True
    """Whether GPUs may compute float32 products in TF32."""
    checkpointing: bool = True
    """Whether activations of encoders and language model are computed again on the way back, which saves memory."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.02
    """Of weights with at least two dimensions; norms and biases have none."""
    clip: NonNegativeFloat = 1.0
    """The largest norm of a gradient; 0 for none. The paper says nothing; 1 is what VideoLLaMA2 trains with."""

    @model_validator(mode="after")
    def _stages_in_order(self) -> Self:
        order: list[str] = ["language", "init", "stage1", "stage2", "stage3"]
        names = [stage.name for stage in self.stages]
        if not names or names != sorted(set(names), key=order.index):
            raise RecipeError(
                f"stages: {', '.join(names) or 'none'}; expected some of {', '.join(order)}, in this order"
            )
        return self

    @property
    def trained(self) -> tuple[StageRecipe, ...]:
        """The stages that are trained: a published model leaves the initialization out."""
        left_out = {"language", "init"} if isinstance(self.start, PublishedStart) else set[str]()
        return tuple(stage for stage in self.stages if stage.name not in left_out)

    def deciding(self) -> dict[str, Any]:
        """Values by dotted name that decide what is learnt; how a batch is cut and memory is saved are left out."""
        return {
            name: value
            for name, value in _flat(self.model_dump(mode="json")).items()
            if name not in {"about", "checkpointing"} and not name.endswith(".micro")
        }

    @property
    def fingerprint(self) -> str:
        """12 hex digits of all that decides what is learnt."""
        values = json.dumps(self.deciding(), sort_keys=True, separators=(",", ":"))
        return sha256(values.encode()).hexdigest()[:12]

    def stage(self, name: str) -> StageRecipe:
        """The stage of a name.

        Raises:
            RecipeError: If the recipe has none of that name.
        """
        for stage in self.trained:
            if stage.name == name:
                return stage
        raise RecipeError(f"recipe {self.name} has no stage {name!r}; it has {_listed(s.name for s in self.trained)}")


def load_recipe(name: str) -> Recipe:
    """The recipe of a name, or of a Python file that defines ``RECIPE``.

    Raises:
        RecipeError: If there is none.
    """
    if name in RECIPES:
        module = importlib.import_module(f"{__package__}.recipes.{RECIPES[name]}")
    elif name.endswith(".py") and Path(name).is_file():
        spec = importlib.util.spec_from_file_location("recipe_of_a_file", name)
        if spec is None or spec.loader is None:
            raise RecipeError(f"{name}: cannot be read; expected a Python file that defines RECIPE")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RecipeError(f"{name}: cannot be run ({reason:.300}); expected Python that defines RECIPE") from error
    else:
        raise RecipeError(
            f"no recipe {name!r}; there are {_listed(RECIPES)}, or name a Python file that defines RECIPE"
        )
    recipe = getattr(module, "RECIPE", None)
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            f"{name}: defines no RECIPE that is a Recipe; see reference_exo2ego/training/recipes/small.py"
        )
    return recipe


def override(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """A recipe with other values.

    Args:
        recipe: The recipe.
        assignments: ``name=value`` with dots, e.g. ``model.kl=gaussian``, ``stage3.rate=1e-5``; values are JSON, or
            texts. A stage is known by its name, a file in a list by its number. ``init=published`` and ``init=parts``
            choose what is begun from.

    Raises:
        RecipeError: If there is no such option, or the value is not allowed.
        ConfigurationError: If the model's configuration contradicts itself then.
    """
    values = recipe.model_dump(mode="python")
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f"{assignment!r}: expected name=value, e.g. stage3.rate=1e-5")
        if name.strip() == "init":
            values["start"] = {"kind": text}
        else:
            _assign(values, name.strip(), _value(text))
    return recipe_of(values, f"recipe {recipe.name}")


def recipe_of(values: Mapping[str, Any], where: str) -> Recipe:
    """A recipe out of plain values.

    Raises:
        RecipeError: If a value is not known or not allowed.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {'; '.join(map(_with_value, faults_of(error)))}") from error
    except (ConfigurationError, RecipeError) as error:
        raise RecipeError(f"{where}: {error}") from error


def _with_value(fault: ValueFault) -> str:
    """A fault with the value that it is in, unless that is a whole section."""
    return str(fault) if isinstance(fault.value, dict) else f"{fault}, found {fault.value!r:.80}"


def _assign(values: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".")
    place: Any = values
    walked: list[str] = []
    stages = {stage["name"]: stage for stage in values["stages"]}
    if above and above[0] in {"stages", *stages}:
        walked.append(above.pop(0))
        if walked == ["stages"] and above:
            walked.append(above.pop(0))
        place = stages.get(walked[-1], _MISSING)
    for step in (*above, last):
        # A rate may be given to any part, also to one that has none yet.
        options = list(PARTS) if walked[-1:] == ["rates"] else _options(place)
        if step not in options:
            inside = ".".join(walked) or "the recipe"
            hint = f"{inside} has {_listed(options)}" if options else f"{inside} has no parts"
            also = f", and the stages {_listed(stages)}" if not walked else ""
            raise RecipeError(f"{name}: no such option; {hint}{also}")
        walked.append(step)
        if len(walked) < len(name.split(".")):
            place = place[int(step)] if isinstance(place, list | tuple) else place[step]
    if isinstance(place, list | tuple):
        raise RecipeError(f"{name}: set what is in it, e.g. {name}.weight=2")
    place[last] = value


def _flat(value: Any, above: str = "") -> dict[str, Any]:
    """Plain values by dotted name; stages by their names, as they are overridden."""
    if isinstance(value, dict):
        parts: Any = value.items()
    elif isinstance(value, list) and above == "stages":
        stages: list[Any] = value
        parts = [(stage["name"], stage) for stage in stages]
    else:
        return {above: value}
    values: dict[str, Any] = {}
    for name, part in parts:
        values |= _flat(part, name if above in {"", "stages"} else f"{above}.{name}")
    return values


_MISSING: dict[str, Any] = {}


def _options(place: Any) -> list[str]:
    if isinstance(place, list | tuple):
        return [str(number) for number in range(len(cast("Sequence[Any]", place)))]
    return list(cast("dict[str, Any]", place)) if isinstance(place, dict) else []


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _listed(names: Any) -> str:
    return ", ".join(names)
