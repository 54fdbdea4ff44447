"""A tiny Exo2Ego of real classes: random weights, a grid of 8 x 8 patches, clips of 4 frames of noise."""

from __future__ import annotations

from typing import Any

import torch

from reference_exo2ego.model.configuration import Exo2EgoConfig, read_configuration
from reference_exo2ego.model.exo2ego import ClipInputs, Exo2Ego
from reference_exo2ego.model.words import Question, pack

TINY: dict[str, Any] = {
    "vision": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 8,
    },
    "language": {
        "vocab_size": 60,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": 0.3,
    },
    "stc": {"depth": 1},
    "mapping": {"width": 6},
    "low_rank": {"rank": 4, "alpha": 8},
    "frames": 4,
}
"""Sizes; the switches have their defaults."""


def tiny_config(**switches: Any) -> Exo2EgoConfig:
    """The tiny configuration with other switches; those of a section are added to its own."""
    values = dict(TINY)
    for name, value in switches.items():
        values[name] = TINY[name] | value if isinstance(value, dict) and name in TINY else value
    return read_configuration(values, "tiny")


def tiny_model(config: Exo2EgoConfig | None = None, seed: int = 0) -> Exo2Ego:
    """A random model."""
    torch.manual_seed(seed)
    return Exo2Ego(config or tiny_config()).eval()


def clips(seed: int = 0, count: int = 2, frames: int = 4) -> torch.Tensor:
    """Clips of noise, uint8."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, frames, 3, 64, 64), dtype=torch.uint8, generator=drawn)


def batch_of(*views: str) -> ClipInputs:
    """Two clips, seen in some views, and a text about each: of the second, shorter one less is predicted."""
    words = pack([([1, 5], [Question([6, 7], [8, 9, 2])]), ([1], [Question([7], [8, 2])])])
    return ClipInputs(words, ego=clips(1) if "ego" in views else None, exo=clips(2) if "exo" in views else None)


BATCHES = {"init": ("ego",), "stage1": ("exo",), "stage2": ("ego", "exo"), "stage3": ("ego",)}
"""Views that a stage takes; the initialization takes either."""
