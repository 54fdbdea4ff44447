"""DeepSpeed's configuration: by stage of ZeRO, or out of a JSON file such as VideoLLaMA2's, with "auto" resolved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from egobench.errors import JsonInputError, RecipeError, bare_reason
from egobench.json_input import read_json

from .recipe import Recipe, StageRecipe
from .sampler import micro_size

AUTO = "auto"

ZERO: Final[Mapping[int, Mapping[str, Any]]] = {
    0: {"stage": 0},
    1: {"stage": 1, "contiguous_gradients": True, "reduce_bucket_size": AUTO},
    2: {"stage": 2, "contiguous_gradients": True, "overlap_comm": True, "reduce_bucket_size": AUTO},
    3: {
        "stage": 3,
        "contiguous_gradients": True,
        "overlap_comm": True,
        "reduce_bucket_size": AUTO,
        "stage3_prefetch_bucket_size": AUTO,
        "stage3_param_persistence_threshold": AUTO,
    },
}
"""Sections ``zero_optimization`` by stage of ZeRO."""

RECIPES_OWN = ("optimizer", "scheduler")
"""Sections that a configuration may not have, because the recipe decides them."""


class Sizes(NamedTuple):
    """The values of a stage that "auto" is resolved by.

    Attributes:
        micro: Clips that a process computes at once.
        micro_batches: Micro-batches of a step on each process.
        processes: How many processes there are.
        width: Of the language model.
        gpu: Whether it computes on GPUs.
    """

    micro: int
    micro_batches: int
    processes: int
    width: int
    gpu: bool


def sizes_of(recipe: Recipe, stage: StageRecipe, processes: int, *, gpu: bool) -> Sizes:
    """Return the values of a stage that "auto" is resolved by.

    Raises:
        ValueError: If its batch cannot be shared by the processes.
    """
    micro = micro_size(stage.batch, processes, stage.micro)
    return Sizes(micro, stage.batch // processes // micro, processes, recipe.model.language.hidden_size, gpu)


def read_zero(choice: str) -> dict[str, Any]:
    """Read a configuration of DeepSpeed, by stage of ZeRO or out of a file.

    Args:
        choice: ``0`` to ``3``, or the path of a JSON file.

    Raises:
        RecipeError: If there is no such file, or it is none.
    """
    if choice in {str(stage) for stage in ZERO}:
        return {"zero_optimization": dict(ZERO[int(choice)]), "bf16": {"enabled": AUTO}}
    path = Path(choice)
    try:
        values: Any = read_json(path.read_bytes(), str(path))
    except (OSError, JsonInputError) as error:
        raise RecipeError(
            f"--deepspeed {choice}: {bare_reason(error)}; expected a stage of ZeRO, 0 to 3, or DeepSpeed's JSON file"
        ) from error
    if not isinstance(values, dict):
        raise RecipeError(f"--deepspeed {choice}: expected a JSON object, as DeepSpeed reads it")
    return values


def stage_of_zero(config: Mapping[str, Any], where: str) -> int:
    """The stage of ZeRO that a configuration asks for; 0 where it says nothing.

    Raises:
        RecipeError: If there is no such stage.
    """
    section, key = _section(dict(config), "zero_optimization.stage", where)
    stage: Any = section.get(key, 0)
    if not isinstance(stage, int) or isinstance(stage, bool) or stage not in ZERO:
        raise RecipeError(f"{where}: zero_optimization.stage is {stage!r}; expected 0, 1, 2 or 3")
    return stage


def name_of_zero(stage: int) -> str:
    """Return the name of the engine in checkpoints of a stage of ZeRO."""
    return f"deepspeed, ZeRO-{stage}"


def resolve(config: Mapping[str, Any], recipe: Recipe, sizes: Sizes, where: str) -> dict[str, Any]:
    """Resolve "auto" in a configuration, and refuse what contradicts the recipe.

    Args:
        config: The configuration; "auto" stands where the recipe decides.
        recipe: The recipe.
        sizes: What "auto" stands for.
        where: What holds the configuration, for messages.

    Raises:
        RecipeError: If it says otherwise than the recipe, or has "auto" where nothing decides.
    """
    for own in RECIPES_OWN:
        if own in config:
            raise RecipeError(f"{where}: {own} is the recipe's; take the section out and set rate, warmup, betas there")
    half, width = recipe.dtype == "bfloat16", sizes.width
    decided: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": sizes.micro,
        "gradient_accumulation_steps": sizes.micro_batches,
        "train_batch_size": sizes.micro * sizes.micro_batches * sizes.processes,
        "gradient_clipping": recipe.clip,
        "bf16.enabled": half,
        "fp16.enabled": False,
    }
    suggested: dict[str, Any] = {
        "zero_optimization.reduce_bucket_size": width * width,
        "zero_optimization.stage3_prefetch_bucket_size": int(0.9 * width * width),
        "zero_optimization.stage3_param_persistence_threshold": 10 * width,
    }
    resolved: dict[str, Any] = json.loads(json.dumps(config))
    for name, value in decided.items():
        section, key = _section(resolved, name, where)
        if section.get(key, AUTO) not in (AUTO, value):
            raise RecipeError(
                f'{where}: {name} is {section[key]!r}, and the recipe makes it {value!r}; write "auto" there'
            )
        section[key] = value
    for name, value in suggested.items():
        section, key = _section(resolved, name, where)
        if section.get(key) == AUTO:
            section[key] = value
    if not sizes.gpu:
        # The CPU has a single queue of work, in which nothing overlaps.
        resolved["zero_optimization"]["overlap_comm"] = False
    # The optimizer is torch's AdamW: the same with and without DeepSpeed, and nothing has to be compiled for it.
    resolved |= {"zero_allow_untested_optimizer": True, "steps_per_print": 10**9}
    left = sorted(_autos(resolved))
    if left:
        raise RecipeError(f'{where}: {", ".join(left)} "auto", and nothing decides it; write a value there')
    return resolved


def _section(config: dict[str, Any], name: str, where: str) -> tuple[dict[str, Any], str]:
    section, _, key = name.rpartition(".")
    values: Any = config.setdefault(section, {}) if section else config
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: {section} is {values!r:.40}; expected an object, as DeepSpeed reads it")
    return values, key


def _autos(values: Mapping[str, Any], above: str = "") -> list[str]:
    names: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            names += _autos(value, f"{above}{name}.")
        elif value == AUTO:
            names.append(above + name)
    return names
