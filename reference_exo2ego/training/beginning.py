"""The model at the beginning and at the end of a stage: loaded or drawn, made ready, checked, and handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from egobench.errors import ModelError, RecipeError, StageError
from reference_exo2ego.backbone.tokenizer import read_tokenizer
from reference_exo2ego.model.checkpoint import load, save
from reference_exo2ego.model.exo2ego import Exo2Ego
from reference_exo2ego.model.freezing import begin_stage, blank, check_stage
from reference_exo2ego.model.stages import Part, Stage

from .batches import TrainingStage
from .engine import Engine
from .processes import Processes
from .recipe import FreshStart, PartsStart, PublishedStart, Recipe, WordsStart

LOADED = (PublishedStart, PartsStart)
"""Starts that are whole models: a language model alone, which the stage ``language`` hands over, has no place there."""


class Beginning(NamedTuple):
    """The model that a stage begins with.

    Attributes:
        model: The model.
        tokenizer: Tokenizer of its language model.
    """

    model: Exo2Ego
    tokenizer: Any


def begin(recipe: Recipe, data: Path, before: Path | None, *, dtype: str) -> Beginning:
    """Load or draw the model that a stage begins with.

    Args:
        recipe: The recipe.
        data: Folder that paths of the recipe are below.
        before: Folder of the model that the stage before it handed over; ``None`` for the recipe's start.
        dtype: Number format of its weights, by torch's name.

    Raises:
        ModelError: If weights cannot be read.
        RecipeError: If the recipe's start cannot be begun from.
    """
    torch.manual_seed(recipe.seed)
    if before is not None and (before / "config.json").is_file():
        return Beginning(load(before, expected=recipe.model, dtype=dtype), load_tokenizer(before / "language"))
    if before is not None and (isinstance(recipe.start, LOADED) or not (before / "language").is_dir()):
        raise ModelError(
            f"{before}: no model that recipe {recipe.name} can begin from; expected what a stage handed over, as "
            f"RUN/stage1/model"
        )
    match recipe.start:
        case WordsStart(alike=alike):
            from .words_start import fresh_model, tokenizer_of

            model = fresh_model(recipe.model, alike=alike).to(getattr(torch, dtype))
            if before is None:
                return Beginning(model, tokenizer_of(recipe, data))
            folder = before / "language"
            _adopt_language(model, folder)
        case FreshStart():
            model, folder = Exo2Ego(recipe.model).to(getattr(torch, dtype)), data / recipe.start.tokenizer
            if before is not None:
                folder = before / "language"
                _adopt_language(model, folder)
        case PublishedStart(checkpoint=checkpoint, vision=vision):
            from reference_exo2ego.backbone.published import Parts
            from reference_exo2ego.model.initial import from_videollama2

            folder = data / checkpoint
            parts = Parts(folder, vision=data / vision if vision else None)
            model = from_videollama2(parts, recipe.model, dtype=dtype)
        case PartsStart(clip=clip, mistral=mistral):
            from reference_exo2ego.model.initial import from_clip_and_mistral

            folder = data / mistral
            model = from_clip_and_mistral(recipe.model, clip=data / clip, mistral=folder, dtype=dtype)
    return Beginning(model, load_tokenizer(folder))


def prepare(model: Exo2Ego, stage: TrainingStage, *, checkpointing: bool) -> None:
    """Freeze what does not train in a stage, and switch the model to training.

    Args:
        model: The model.
        stage: The stage.
        checkpointing: Whether the backward pass computes activations again instead of keeping them.

    Raises:
        StageError: If nothing trains in the stage.
    """
    if stage == "language":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("language."))
    else:
        begin_stage(model, stage)
    model.train()
    if checkpointing:
        for part in ("ego_encoder", "exo_encoder", "language"):
            enable_checkpointing(getattr(model, part))


def enable_checkpointing(module: Any) -> None:
    """Let the backward pass compute the activations of a transformers model's blocks again instead of keeping them."""
    # Releases before 5.20 know the older name alone.
    enable = getattr(module, "activation_checkpointing_enable", None) or module.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def check_trained(model: Exo2Ego, stage: TrainingStage, optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer moves exactly what trains in a stage.

    Raises:
        StageError: If it does not.
    """
    if stage != "language":
        check_stage(model, stage, optimizer)
        return
    moving = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        if (id(parameter) in moving) != name.startswith("language."):
            raise StageError(f"language: the language model alone trains in it, and {name} does not fit")


def hand_over(
    recipe: Recipe, stage: TrainingStage, engine: Engine, processes: Processes, folder: Path, tokenizer: Any
) -> None:
    """Write the model for the next stage and for evaluation; every process calls it.

    Args:
        recipe: The recipe.
        stage: The stage of the model.
        engine: Has the weights.
        processes: The processes.
        folder: The folder to write; it appears as a whole.
        tokenizer: Tokenizer of the language model.

    Raises:
        ModelError: If it cannot be written.
        TrainingError: The same, on the processes that do not write.
    """
    weights = engine.weights()
    with processes.together(f"{folder}: handing the model over"):
        if processes.first:
            _write_model(recipe, stage, weights, folder=folder, tokenizer=tokenizer)


def _write_model(
    recipe: Recipe, stage: TrainingStage, weights: dict[str, torch.Tensor], *, folder: Path, tokenizer: Any
) -> None:
    last: Stage = "init" if stage == "language" else stage
    model = blank(recipe.model, last)
    names = {name for name, _ in model.named_parameters()}
    missing = model.load_state_dict(weights, strict=False, assign=True).missing_keys
    if names & set(missing):
        raise ModelError(f"{folder}: {sorted(names & set(missing))[0]} is missing from what was trained")
    parts: tuple[Part, ...] | None = ("language",) if stage == "language" else None
    save(model, folder, last, parts=parts, tokenizer=tokenizer)
    if stage == "language":
        # There is no Exo2Ego to load yet, but a language model to begin with.
        (folder / "config.json").unlink()


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder.

    Raises:
        RecipeError: If there is none.
        ModelError: If it cannot be read.
    """
    tokenizer = read_tokenizer(folder)
    if tokenizer is None:
        raise RecipeError(f"{folder}: no tokenizer; expected tokenizer.json or tokenizer.model of the language model")
    return tokenizer


def _adopt_language(model: Exo2Ego, folder: Path) -> None:
    """Copy the weights of the stage ``language`` into a fresh model."""
    from reference_exo2ego.backbone.weights import check_weights, read_weights, weight_files

    weights = read_weights(weight_files(folder))
    own = model.language.state_dict()
    shapes = {name: tensor.shape for name, tensor in own.items()}
    if model.config.language.tie_word_embeddings:
        shapes.pop("lm_head.weight")
    check_weights(folder, weights, shapes)
    with torch.no_grad():
        for name, tensor in weights.items():
            own[name].copy_(tensor)
