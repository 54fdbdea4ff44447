"""Builds the parts of Exo2Ego by name, with fresh weights."""

from __future__ import annotations

from typing import Any, Literal, assert_never

import torch
from torch import nn

from reference_exo2ego.backbone.connector import Connector

from .configuration import Exo2EgoConfig
from .mapping import build_mapping
from .stages import Part

View = Literal["ego", "exo"]
"""Egocentric (the wearer's camera) or exocentric (a camera beside)."""


class Delimiters(nn.Module):
    """Learned vectors at the beginning and the end of each view's tokens.

    Args:
        width: Channels of the language model.
        spread: Standard deviation of fresh vectors; that of the word embeddings.
    """

    def __init__(self, width: int, spread: float) -> None:
        super().__init__()
        self.ego = nn.Parameter(torch.randn(2, width) * spread)
        self.exo = nn.Parameter(torch.randn(2, width) * spread)

    def forward(self, tokens: torch.Tensor, view: View) -> torch.Tensor:
        """Put the delimiters around ``(clips, tokens, width)``, which adds two tokens."""
        first, last = (self.ego if view == "ego" else self.exo).to(tokens)[:, None].expand(-1, len(tokens), -1)
        return torch.cat([first[:, None], tokens, last[:, None]], dim=1)


def build_part(config: Exo2EgoConfig, part: Part) -> nn.Module:
    """Build a part with fresh weights, or without any under ``torch.device("meta")``.

    Raises:
        ValueError: If it is ``low_rank``, which is no module of its own.
    """
    import transformers

    library: Any = transformers
    match part:
        case "ego_encoder" | "exo_encoder":
            encoder: nn.Module = library.CLIPVisionModel(vision_config(config))
            return encoder
        case "connector" | "exo_connector":
            return Connector(config.vision.hidden_size, config.language.hidden_size, config.stc.kind, config.stc.depth)
        case "to_exo" | "to_ego":
            return build_mapping(config.feature_width, config.mapping)
        case "fusion":
            return _fusion(config.language.hidden_size)
        case "delimiters":
            return Delimiters(config.language.hidden_size, config.language.initializer_range)
        case "language":
            language: nn.Module = library.MistralForCausalLM(language_config(config))
            return language
        case "low_rank":
            raise ValueError("low_rank lies in the language model's layers; see add_low_rank")
    assert_never(part)


def vision_config(config: Exo2EgoConfig) -> Any:
    """Sizes of the encoders as transformers' ``CLIPVisionConfig``."""
    import transformers

    library: Any = transformers
    return library.CLIPVisionConfig(**config.vision.model_dump(exclude={"layer"}))


def language_config(config: Exo2EgoConfig) -> Any:
    """Sizes of the language model as transformers' ``MistralConfig``; version 0.2 has no sliding window."""
    import transformers

    library: Any = transformers
    return library.MistralConfig(**config.language.model_dump(), sliding_window=None)


def _fusion(width: int) -> nn.Linear:
    """Build the linear layer that joins the views; at first it passes the learner's channels through."""
    layer = nn.Linear(2 * width, width)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width, 2 * width))
        layer.bias.zero_()
    return layer
