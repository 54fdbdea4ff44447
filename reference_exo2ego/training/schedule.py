"""The optimizer with its groups of parameters, and the learning rate as a function of the step alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from reference_exo2ego.model.exo2ego import Exo2Ego
from reference_exo2ego.model.freezing import part_of

from .recipe import Recipe, StageRecipe


def build_optimizer(model: Exo2Ego, recipe: Recipe, stage: StageRecipe) -> torch.optim.AdamW:
    """Build AdamW over all parameters that train, with weight decay for those of at least two dimensions.

    A group's highest learning rate is kept in it as ``rate``.

    Args:
        model: The model, ready for the stage.
        recipe: The recipe.
        stage: Its stage.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = stage.rates.get(part_of(name), stage.rate)
            # DeepSpeed keeps a parameter that it spreads over processes flat, and its shape under another name.
            dimensions = len(getattr(parameter, "ds_shape", parameter.shape))
            groups.setdefault((rate, recipe.weight_decay if dimensions > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        betas=recipe.betas,
    )


def rate_share(step: int, steps: int, stage: StageRecipe) -> float:
    """Return the share of the highest learning rate at a step: a linear rise, then a cosine.

    Args:
        step: From 0.
        steps: Of the stage.
        stage: The stage.

    Returns:
        In (0, 1].
    """
    rising = math.ceil(steps * stage.warmup)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return stage.last + (1 - stage.last) * 0.5 * (1 + math.cos(math.pi * done))
