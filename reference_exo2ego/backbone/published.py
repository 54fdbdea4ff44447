"""Published checkpoints of VideoLLaMA2: their names of tensors, and loading them with nothing missing or left over.

Two layouts: all weights in safetensors files, or ``mm_projector.bin`` alone, with the language model and the vision
tower in folders of their own (the ``-Base`` releases).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from egobench.errors import ModelError

from .architecture import VideoLlama2, architecture, language_class, random_connector, random_model, tower_class
from .weights import check_weights, read_weights, weight_files

PREFIXES = (
    ("model.vision_tower.vision_tower.vision_model.", "vision."),
    ("model.mm_projector.", "connector."),
    ("model.", "language.model."),
    ("lm_head.", "language.lm_head."),
)
"""How published names begin, and ours. Of published prefixes the first that fits counts."""

PROJECTOR = "mm_projector.bin"

DERIVED = (".position_ids", ".inv_freq")
"""Ends of names of what older releases of transformers saved and could have computed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a checkpoint's weights are.

    Attributes:
        folder: The checkpoint.
        language: Folder of the language model, where the checkpoint holds the connector alone.
        vision: Folder of the vision tower, likewise.
    """

    folder: Path
    language: Path | None = None
    vision: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files of weights.

        Raises:
            ModelError: If a part has none.
        """
        if self.language is None or self.vision is None:
            return weight_files(self.folder)
        return [self.folder / PROJECTOR, *weight_files(self.language), *weight_files(self.vision)]

    def read(self) -> dict[str, torch.Tensor]:
        """Tensors by published name.

        Raises:
            ModelError: If a file is missing, damaged or refused.
        """
        if self.language is None or self.vision is None:
            weights = read_weights(weight_files(self.folder))
        else:
            weights = read_weights([self.folder / PROJECTOR]) | read_weights(weight_files(self.language))
            weights |= tower_weights(read_weights(weight_files(self.vision)))
        return {name: tensor for name, tensor in weights.items() if not name.endswith(DERIVED)}


def is_connector_alone(folder: Path) -> bool:
    """Whether a folder is of the ``-Base`` layout."""
    return (folder / PROJECTOR).is_file() and not any(folder.glob("*.safetensors"))


def published_name(name: str) -> str:
    """The published name of a tensor of :class:`VideoLlama2`.

    Raises:
        KeyError: If it has none.
    """
    return _renamed(name, [(own, published) for published, own in PREFIXES])


def own_name(name: str) -> str:
    """The name in :class:`VideoLlama2` of a published tensor.

    Raises:
        KeyError: If it has none.
    """
    return _renamed(name, PREFIXES)


def published_weights(model: VideoLlama2) -> dict[str, torch.Tensor]:
    """All weights by published name, to be saved."""
    return {published_name(name): tensor for name, tensor in model.state_dict().items() if name not in _tied(model)}


def published_shapes(model: VideoLlama2) -> dict[str, torch.Size]:
    """The shape of every tensor that a checkpoint of this architecture holds."""
    return {name: tensor.shape for name, tensor in published_weights(model).items()}


def load_published(parts: Parts, *, dtype: str = "auto", device: str = "cpu") -> VideoLlama2:
    """Load a checkpoint.

    Args:
        parts: Where its weights are.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``balanced`` spreads the language model over all GPUs.

    Raises:
        ModelError: If the checkpoint is of another family, or a tensor is missing, extra or misshapen.
    """
    sizes = architecture(parts.folder, vision=parts.vision)
    with torch.device("meta"):
        try:
            shapes = published_shapes(random_model(sizes))
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{parts.folder}: transformers cannot build what its config.json describes ({error!r})"
            ) from error
        connector = random_connector(sizes)
    weights = parts.read()
    check_weights(parts.folder, weights, shapes)
    number = getattr(torch, sizes.dtype if dtype == "auto" else dtype)
    by_part: dict[str, dict[str, torch.Tensor]] = {"vision": {}, "connector": {}, "language": {}}
    for name in list(weights):
        part, _, rest = own_name(name).partition(".")
        by_part[part][rest] = weights.pop(name)
    language = pretrained(language_class(sizes.language), sizes.language, by_part["language"], number, device)
    first = language.device
    vision = pretrained(tower_class(sizes.vision), sizes.vision, by_part["vision"], number, str(first))
    placed = {name: tensor.to(device=first, dtype=number) for name, tensor in by_part["connector"].items()}
    connector.load_state_dict(placed, assign=True)
    return VideoLlama2(vision, connector, language, sizes.layer).eval()


def pretrained(build: Any, config: Any, weights: dict[str, torch.Tensor], dtype: torch.dtype, device: str) -> Any:
    """A model of transformers with given weights; it computes what is derived and spreads layers over devices.

    Args:
        build: Its class.
        config: Its config.
        weights: All of them, by their names in the class.
        dtype: Number format to compute in.
        device: What :class:`torch.device` takes; ``balanced`` spreads it over all GPUs.
    """
    return build.from_pretrained(None, config=config, state_dict=weights, dtype=dtype, device_map=device)


def tower_weights(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A vision tower's weights by their names in published checkpoints.

    Args:
        weights: Weights of a folder of the tower alone, or of all of CLIP.
    """
    inside = "vision_model."
    halves = any(name.startswith(inside) for name in weights)
    tower = {
        name.removeprefix(inside): tensor for name, tensor in weights.items() if not halves or name.startswith(inside)
    }
    return {PREFIXES[0][0] + name: tensor for name, tensor in tower.items()}


def _tied(model: VideoLlama2) -> frozenset[str]:
    config: Any = model.language.config
    return frozenset({"language.lm_head.weight"} if config.tie_word_embeddings else ())


def _renamed(name: str, prefixes: Iterable[tuple[str, str]]) -> str:
    for before, after in prefixes:
        if name.startswith(before):
            return after + name.removeprefix(before)
    raise KeyError(name)
