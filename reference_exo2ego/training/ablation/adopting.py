"""Adopting a checkpoint of one configuration as the beginning of a stage of another configuration."""

from __future__ import annotations

from pathlib import Path

import torch

from egobench.errors import ConfigurationError
from reference_exo2ego.model.checkpoint import Saved, load, read_saved, save
from reference_exo2ego.model.configuration import Exo2EgoConfig
from reference_exo2ego.model.exo2ego import Exo2Ego
from reference_exo2ego.model.parts import build_part
from reference_exo2ego.model.stages import STAGES, Part
from reference_exo2ego.training.beginning import load_tokenizer
from reference_exo2ego.training.sampler import seed_of


def fits(before: Path, config: Exo2EgoConfig) -> bool:
    """Tell whether a stage of a configuration can begin from a checkpoint as it is."""
    # The stage ``language`` hands over a language model, which any configuration begins with.
    return not (before / "config.json").is_file() or read_saved(before).config == config


def adopt(before: Path, config: Exo2EgoConfig, seed: int, out: Path) -> None:
    """Write a checkpoint again, under another configuration.

    Parts that a trained stage has computed with stay as they are. Of the other parts those that both configurations
    draw alike are kept, so that variants begin with the same F; the rest is drawn, each part from a seed of its name.

    Args:
        before: The checkpoint.
        config: The other configuration.
        seed: What is drawn from.
        out: The folder to write; it must not be there yet.

    Raises:
        ConfigurationError: If a part that was trained is of another shape.
        ModelError: If the checkpoint cannot be read or the folder not be written.
    """
    saved = read_saved(before)
    model = load(before)
    adopted = Exo2Ego(config, parts=())
    number = next(model.parameters()).dtype
    for part in config.parts:
        if part == "low_rank":
            continue
        if part in saved.config.parts and (_computed(saved, part) or _drawn_alike(saved.config, config, part)):
            setattr(adopted, part, getattr(model, part))
        else:
            torch.manual_seed(seed_of(seed, "fresh", part))
            setattr(adopted, part, build_part(config, part).to(number))
    _check_shapes(adopted, saved, config)
    save(adopted, out, saved.stage, tokenizer=load_tokenizer(before / "language"))


def _computed(saved: Saved, part: Part) -> bool:
    """Tell whether any stage up to the last one that was trained computes with a part."""
    return any(part in saved.config.read_in(stage) for stage in STAGES[: STAGES.index(saved.stage) + 1])


def _drawn_alike(first: Exo2EgoConfig, second: Exo2EgoConfig, part: Part) -> bool:
    """Tell whether two configurations draw the same random weights for a part."""
    same_mapping = first.mapping == second.mapping and first.place == second.place
    return part not in {"to_exo", "to_ego"} or same_mapping


def _check_shapes(adopted: Exo2Ego, saved: Saved, config: Exo2EgoConfig) -> None:
    with torch.device("meta"):
        expected = {name: value.shape for name, value in Exo2Ego(config).named_parameters()}
    actual = {
        name.replace(".base_layer.", "."): value.shape
        for name, value in adopted.named_parameters()
        if ".lora_" not in name
    }
    other = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    if other:
        raise ConfigurationError(
            f"{saved.folder}: {other[0]} is {tuple(actual.get(other[0], ()))} there and "
            f"{tuple(expected.get(other[0], ()))} here; what was trained stays as large as it is"
        )
