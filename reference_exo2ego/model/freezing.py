"""Freezing: adds LoRA when a stage trains it, freezes the rest, and asserts both before the first step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import torch
from torch import nn

from egobench.errors import ModelError, StageError

from .configuration import Exo2EgoConfig
from .exo2ego import Exo2Ego
from .stages import PARTS, STAGES, Part, Stage

NAMED = 3
"""Most parameters that a message names."""


class PartCount(NamedTuple):
    """Number of parameters of a part, in all and by the stages in which they train."""

    part: Part
    parameters: int
    trained: dict[Stage, int]


def add_low_rank(model: Exo2Ego) -> None:
    """Add LoRA to the linear layers of the language model; its output is unchanged until LoRA is trained.

    Raises:
        ModelError: If it is there already.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if has_low_rank(model):
        raise ModelError("the language model has LoRA already; merge it before another is added")
    config = model.config.low_rank
    inject_adapter_in_model(
        LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=list(config.targets),
        ),
        model.language,
    )


def has_low_rank(model: Exo2Ego) -> bool:
    """Whether LoRA is in the language model."""
    return any(part_of(name) == "low_rank" for name, _ in model.named_parameters())


def part_of(name: str) -> Part:
    """Return the part that a parameter belongs to.

    Args:
        name: Name of the parameter in the model.

    Raises:
        ModelError: If it belongs to none.
    """
    first = name.partition(".")[0]
    if first == "language" and ".lora_" in name:
        return "low_rank"
    for part in PARTS:
        if part == first:
            return part
    raise ModelError(f"parameter {name} belongs to no part; the parts are {', '.join(PARTS)}")


def trains(config: Exo2EgoConfig, stage: Stage, name: str) -> bool:
    """Whether a parameter trains in a stage: its part does, and the stage computes with it.

    An encoder's layers behind the hidden state that is read are never read; delimiters are where their view is.
    """
    part = part_of(name)
    if part not in config.trained_in(stage):
        return False
    inside = name.partition(".")[2]
    if part in {"ego_encoder", "exo_encoder"}:
        layer = inside.removeprefix("encoder.layers.").partition(".")[0]
        behind = layer.isdecimal() and int(layer) >= config.vision.layers_read
        return not (behind or inside.startswith("post_layernorm."))
    if part == "delimiters" and inside == "exo":
        return stage in {"init", "stage1"} or config.fuse == "token" or (stage == "stage2" and config.kl == "output")
    return not (part == "delimiters" and stage == "stage1")


def begin_stage(model: Exo2Ego, stage: Stage) -> list[nn.Parameter]:
    """Prepare a model for a stage: add LoRA where the stage has it, and freeze what does not train.

    Args:
        model: The model, with all its parts.
        stage: The stage.

    Returns:
        The parameters that train.

    Raises:
        StageError: If nothing trains in the stage.
    """
    if "low_rank" in model.config.read_in(stage) and not has_low_rank(model):
        add_low_rank(model)
    trained: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(trains(model.config, stage, name))
        if parameter.requires_grad:
            trained.append(parameter)
    if not trained:
        raise StageError(f"{stage}: nothing trains in it; leave the stage out, or name it in a row of train")
    return trained


def check_stage(model: Exo2Ego, stage: Stage, optimizer: torch.optim.Optimizer) -> None:
    """Check before the first step that exactly the parameters of the stage are about to train.

    Names and sizes of all parameters are compared with those of the configuration, built anew without weights; then
    what takes gradients, and what the optimizer moves.

    Args:
        model: The model.
        stage: The stage.
        optimizer: The optimizer of the stage.

    Raises:
        StageError: If a parameter is missing, extra or of another size; if it takes gradients and should not, or does
            not and should; if the optimizer leaves out one that trains, has one twice, or has one that does not train
            or is not in the model.
    """
    expected = {name: parameter.shape for name, parameter in _named(blank(model.config, stage))}
    actual = dict(_named(model))
    _refuse(stage, "missing from the model", expected.keys() - actual.keys())
    _refuse(stage, "in the model and not in its configuration", actual.keys() - expected.keys())
    # Where DeepSpeed spreads a parameter over processes, it keeps its shape under another name.
    shapes = {name: getattr(parameter, "ds_shape", parameter.shape) for name, parameter in actual.items()}
    _refuse(stage, "of another size than configured", {name for name in actual if shapes[name] != expected[name]})
    moving = {name for name in actual if trains(model.config, stage, name)}
    grad = {name for name, parameter in actual.items() if parameter.requires_grad}
    _refuse(stage, "frozen and should train", moving - grad)
    _refuse(stage, "taking gradients and should be frozen", grad - moving)
    names: dict[int, list[str]] = {}
    for name, parameter in actual.items():
        names.setdefault(id(parameter), []).append(name)
    grouped = Counter(
        name
        for group in optimizer.param_groups
        for parameter in group["params"]
        for name in names.get(id(parameter), [f"of shape {tuple(parameter.shape)}, not in the model"])
    )
    _refuse(stage, "not in the optimizer", moving - grouped.keys())
    _refuse(stage, "in the optimizer and should not be", grouped.keys() - moving)
    _refuse(stage, "in the optimizer twice", {name for name, times in grouped.items() if times > 1})


def blank(config: Exo2EgoConfig, stage: Stage) -> Exo2Ego:
    """Build the model of a stage on the meta device, for names and shapes."""
    with torch.device("meta"):
        model = Exo2Ego(config)
        if "low_rank" in config.read_in(stage):
            add_low_rank(model)
    return model


def part_counts(config: Exo2EgoConfig) -> list[PartCount]:
    """Count parameters by part and stage, from the configuration alone."""
    sizes = {name: parameter.numel() for name, parameter in blank(config, STAGES[-1]).named_parameters()}
    return [
        PartCount(
            part,
            sum(count for name, count in sizes.items() if part_of(name) == part),
            {
                stage: sum(n for name, n in sizes.items() if part_of(name) == part and trains(config, stage, name))
                for stage in STAGES
            },
        )
        for part in config.parts
    ]


def part_digest(model: Exo2Ego, part: Part) -> str:
    """Hash the weights of a part, bit for bit: equal before and after a stage that leaves the part alone.

    Returns:
        64 hex digits.

    Raises:
        ModelError: If the model was built without the part.
    """
    digest = sha256()
    weights = {name: tensor for name, tensor in [*_named(model), *model.named_buffers()] if part_of(name) == part}
    if not weights:
        raise ModelError(f"the model was built without {part}")
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _named(model: Exo2Ego) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters by the names that they have without LoRA, which renames the layers that it changes.

    A parameter of both encoders has both names.
    """
    for name, parameter in model.named_parameters(remove_duplicate=False):
        yield name.replace(".base_layer.", "."), parameter


def _refuse(stage: Stage, fault: str, names: set[str]) -> None:
    if names:
        ordered = sorted(names)
        rest = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
        by_part = Counter(part_of(name) if name.partition(".")[0] in PARTS else "no part" for name in ordered)
        counts = ", ".join(f"{count} of {part}" for part, count in by_part.items())
        raise StageError(
            f"{stage}: {len(ordered)} parameters {fault} ({counts}): {', '.join(ordered[:NAMED])}{rest}; call "
            f"begin_stage last, and give the optimizer exactly what it returns"
        )
