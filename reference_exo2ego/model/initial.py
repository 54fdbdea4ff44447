"""Initial weights: published ones of VideoLLaMA2, or those of CLIP and Mistral with a fresh connector.

Names of tensors go through the strict map of :mod:`reference_exo2ego.backbone.published`; both encoders begin as the
same tower, both connectors as the same connector. F, G and the rest are fresh: seed torch before.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from egobench.errors import ConfigurationError
from reference_exo2ego.backbone.architecture import Architecture, architecture, language_class, tower_class
from reference_exo2ego.backbone.published import PREFIXES, Parts, load_published, pretrained, tower_weights
from reference_exo2ego.backbone.weights import check_weights, read_weights, weight_files

from .configuration import Exo2EgoConfig, read_configuration
from .exo2ego import Exo2Ego
from .parts import build_part, language_config, vision_config
from .sizes import LanguageSize, VisionSize

COMPUTED = {
    "vision": ("hidden_act", "layer_norm_eps", "attention_dropout", "num_channels"),
    "language": ("hidden_act", "head_dim", "sliding_window", "attention_dropout", "rope_parameters"),
}
"""Further fields of transformers' configs that change the result; they must equal those of the reference model."""


def published_configuration(parts: Parts, switches: Mapping[str, Any] | None = None) -> Exo2EgoConfig:
    """Make a configuration with the sizes of a published VideoLLaMA2.

    Args:
        parts: The checkpoint.
        switches: Switches that are not to have their defaults.

    Raises:
        ModelError: If the checkpoint cannot be used.
        ConfigurationError: If it stands on other models than CLIP and Mistral, or a switch contradicts its sizes.
    """
    release = architecture(parts.folder, vision=parts.vision)
    where = str(parts.folder)
    return read_configuration({"frames": release.frames} | dict(switches or {}) | _sizes(release, where), where)


def from_videollama2(parts: Parts, config: Exo2EgoConfig, *, dtype: str = "auto", device: str = "cpu") -> Exo2Ego:
    """Build the model from a published VideoLLaMA2 on CLIP and Mistral.

    Args:
        parts: Where its weights are.
        config: The configuration; that of :func:`published_configuration` fits.
        dtype: Number format; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``balanced`` spreads the language model over all GPUs.

    Raises:
        ModelError: If the checkpoint cannot be used.
        ConfigurationError: If it has other sizes than the configuration, or computes otherwise.
    """
    release = architecture(parts.folder, vision=parts.vision)
    where = str(parts.folder)
    sizes = _sizes(release, where)
    other = [
        f"{section}.{name} is {value!r}, configured {getattr(getattr(config, section), name)!r}"
        for section, values in sizes.items()
        for name, value in values.items()
        if name != "initializer_range" and value != getattr(getattr(config, section), name)
    ]
    own = {"vision": vision_config(config).to_dict(), "language": language_config(config).to_dict()}
    published = {"vision": release.vision.to_dict(), "language": release.language.to_dict()}
    other += [
        f"{name} of its {section} model is {published[section][name]!r}, here {own[section][name]!r}"
        for section, names in COMPUTED.items()
        for name in names
        if published[section][name] != own[section][name]
    ]
    if other:
        raise ConfigurationError(f"{where}: {'; '.join(other)}; configure the checkpoint's sizes")
    source = load_published(parts, dtype=dtype, device=device)
    return _assembled(config, source.vision, source.connector, source.language)


def from_clip_and_mistral(
    config: Exo2EgoConfig, *, clip: Path, mistral: Path, dtype: str = "float32", device: str = "cpu"
) -> Exo2Ego:
    """Build the model from CLIP and Mistral with a fresh connector.

    Args:
        config: The configuration.
        clip: Folder of the tower, or of all of CLIP.
        mistral: Folder of the language model.
        dtype: Number format, by torch's name.
        device: What :class:`torch.device` takes; ``balanced`` spreads the language model over all GPUs.

    Raises:
        ModelError: If a weight is missing, extra or of another shape.
    """
    number: torch.dtype = getattr(torch, dtype)
    with torch.device("meta"):
        shapes = {
            part: {name: tensor.shape for name, tensor in build_part(config, part).state_dict().items()}
            for part in ("ego_encoder", "language")
        }
    if config.language.tie_word_embeddings:
        shapes["language"].pop("lm_head.weight")
    published = tower_weights(read_weights(weight_files(clip)))
    vision_weights = {
        name.removeprefix(PREFIXES[0][0]): tensor
        for name, tensor in published.items()
        if not name.endswith(".position_ids")
    }
    check_weights(clip, vision_weights, shapes["ego_encoder"])
    language_weights = read_weights(weight_files(mistral))
    check_weights(mistral, language_weights, shapes["language"])
    sizes, words = vision_config(config), language_config(config)
    language = pretrained(language_class(words), words, language_weights, number, device)
    vision = pretrained(tower_class(sizes), sizes, vision_weights, number, str(language.device))
    connector = build_part(config, "connector").to(device=language.device, dtype=number)
    return _assembled(config, vision, connector, language)


def _sizes(release: Architecture, where: str) -> dict[str, dict[str, Any]]:
    """Sections of a configuration that are a checkpoint's."""
    vision, language = release.vision.to_dict(), release.language.to_dict()
    kinds = (str(vision["model_type"]), str(language["model_type"]))
    if kinds != ("clip_vision_model", "mistral"):
        raise ConfigurationError(
            f"{where}: stands on {kinds[0]} and {kinds[1]}; Exo2Ego stands on CLIP and Mistral, as VideoLLaMA2-7B does"
        )
    own = {"layer": release.layer, "rope_theta": language["rope_parameters"]["rope_theta"]}
    return {
        "vision": {name: own.get(name, vision.get(name)) for name in VisionSize.model_fields},
        "language": {name: own.get(name, language.get(name)) for name in LanguageSize.model_fields},
        "stc": {"kind": release.connector},
    }


def _assembled(config: Exo2EgoConfig, vision: nn.Module, connector: nn.Module, language: Any) -> Exo2Ego:
    fresh = set(config.parts) - {"ego_encoder", "exo_encoder", "connector", "exo_connector", "language"}
    model = Exo2Ego(config, fresh).to(device=language.device, dtype=language.dtype)
    model.ego_encoder, model.exo_encoder = vision, copy.deepcopy(vision)
    model.connector, model.language = connector, language
    if config.connector == "per_view":
        model.exo_connector = copy.deepcopy(connector)
    return model.eval()
