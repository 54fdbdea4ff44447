"""What a published ``config.json`` says of the model, and the model itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import nn

from egobench.errors import ModelError, bare_reason

from .connector import Connector
from .frames import Sight, clip_sight, siglip_sight
from .grid import Kind

TOWERS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-large-patch14-336": {
        "model_type": "clip_vision_model",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 336,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "google/siglip-so400m-patch14-384": {
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 14,
    },
}
"""Vision towers of the published checkpoints, by the name their ``config.json`` gives instead of a description."""

LANGUAGES = {
    "videollama2": "mistral",
    "videollama2_mistral": "mistral",
    "videollama2_qwen2": "qwen2",
}
"""Language model by ``model_type``."""

_FOREIGN = ("model_type", "architectures", "auto_map", "_name_or_path", "transformers_version", "quantization_config")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A VideoLLaMA2 by its sizes.

    Attributes:
        language: Config of the language model, of transformers.
        vision: Config of the vision tower, of transformers.
        connector: Which connector.
        layer: Which of the tower's hidden states is used; published models use -2, the last layer but one.
        frames: Frames of a clip it was trained with.
        dtype: Number format of the published weights.
    """

    language: Any
    vision: Any
    connector: Kind
    layer: int
    frames: int
    dtype: str

    @property
    def sight(self) -> Sight:
        """How the vision tower wants its pixels."""
        see = clip_sight if _is_clip(self.vision) else siglip_sight
        return see(int(self.vision.image_size))


class VideoLlama2(nn.Module):
    """Vision tower, connector and language model.

    Attributes:
        vision: ``CLIPVisionModel`` or ``SiglipVisionModel`` of transformers.
        connector: The connector.
        language: ``MistralForCausalLM`` or ``Qwen2ForCausalLM`` of transformers.
        layer: Which of the tower's hidden states is used.
    """

    def __init__(self, vision: nn.Module, connector: Connector, language: nn.Module, layer: int) -> None:
        super().__init__()
        self.vision, self.connector, self.language, self.layer = vision, connector, language, layer

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """Tokens of clips.

        Args:
            pixels: ``(clips, frames, 3, side, side)``.

        Returns:
            ``(clips, tokens, width)``, to be put among the embedded words.
        """
        tokens: torch.Tensor = self.connector(patch_features(self.vision, pixels, self.layer))
        return tokens


def patch_features(vision: nn.Module, pixels: torch.Tensor, layer: int) -> torch.Tensor:
    """What a vision tower says of every patch.

    Args:
        vision: The tower, of transformers.
        pixels: ``(clips, frames, 3, side, side)``.
        layer: Which of its hidden states.

    Returns:
        ``(clips, frames, patches, width)``.
    """
    states = vision(pixel_values=pixels.flatten(0, 1), output_hidden_states=True).hidden_states[layer]
    # CLIP has a token of its own before the patches, SigLIP has none.
    patches: torch.Tensor = states[:, int(_is_clip(vision.config)) :].unflatten(0, pixels.shape[:2])
    return patches


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder.

    Raises:
        ModelError: If there is none or it is no JSON object.
    """
    path = folder / "config.json"
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({bare_reason(error)}); expected a checkpoint's folder") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: holds a {type(config).__name__}, expected a JSON object")
    return cast("dict[str, Any]", config)


def architecture(folder: Path, *, vision: Path | None = None) -> Architecture:
    """What the ``config.json`` of a published checkpoint describes.

    Args:
        folder: The checkpoint.
        vision: Folder of the vision tower; ``None`` for one of :data:`TOWERS`, or for a folder that it names.

    Raises:
        ModelError: If it is not there, or describes a model of another family.
    """
    import transformers

    library: Any = transformers
    config = read_config(folder)
    family = str(config.get("model_type"))
    if family not in LANGUAGES:
        raise ModelError(
            f"{folder}: model_type {family!r} is no VideoLLaMA2 known here; expected {', '.join(LANGUAGES)}"
        )
    connector = config.get("mm_projector_type")
    if connector not in get_args(Kind):
        raise ModelError(f"{folder}: mm_projector_type {connector!r}; expected {' or '.join(get_args(Kind))}")
    sizes = {key: value for key, value in config.items() if key not in _FOREIGN and not key.startswith("mm_")}
    if LANGUAGES[family] == "mistral":
        # Mistral-7B-Instruct-v0.2 has no sliding window, transformers' default has one.
        language = _config(folder, library.MistralConfig, {"sliding_window": None, **sizes})
    else:
        language = _config(folder, library.Qwen2Config, sizes)
    tower, layer = _tower(folder, str(config.get("mm_vision_tower")), vision), config.get("mm_vision_select_layer", -2)
    states, frames = tower.num_hidden_layers + 1, config.get("num_frames", 8)
    if not (isinstance(layer, int) and -states <= layer < states):
        raise ModelError(f"{folder}: mm_vision_select_layer {layer!r}; expected one of {states} states of its tower")
    if not (isinstance(frames, int) and frames > 0):
        raise ModelError(f"{folder}: num_frames {frames!r}; expected a number of frames")
    return Architecture(
        language=language,
        vision=tower,
        connector=cast("Kind", connector),
        layer=layer,
        frames=frames,
        dtype=str(config.get("dtype") or config.get("torch_dtype") or "float32"),
    )


def random_model(sizes: Architecture) -> VideoLlama2:
    """The model with random weights; below ``torch.device("meta")`` with none, for its names and shapes."""
    return VideoLlama2(
        tower_class(sizes.vision)(sizes.vision),
        random_connector(sizes),
        language_class(sizes.language)(sizes.language),
        sizes.layer,
    )


def random_connector(sizes: Architecture) -> Connector:
    """The connector with random weights."""
    return Connector(sizes.vision.hidden_size, sizes.language.hidden_size, sizes.connector)


def tower_class(config: Any) -> Any:
    """The vision tower's class in transformers."""
    import transformers

    library: Any = transformers
    return library.CLIPVisionModel if _is_clip(config) else library.SiglipVisionModel


def language_class(config: Any) -> Any:
    """The language model's class in transformers."""
    import transformers

    library: Any = transformers
    return library.MistralForCausalLM if config.model_type == "mistral" else library.Qwen2ForCausalLM


def _is_clip(config: Any) -> bool:
    return str(config.model_type).startswith("clip")


def _tower(folder: Path, name: str, explicit: Path | None) -> Any:
    import transformers

    library: Any = transformers
    place = explicit or next((path for path in (folder / name, Path(name)) if path.is_dir()), None)
    if name in TOWERS and explicit is None:
        values = TOWERS[name]
    elif place is not None:
        values = read_config(place)
        # A folder of all of CLIP describes its two halves.
        values = values.get("vision_config", values) | {"model_type": values.get("model_type")}
    else:
        raise ModelError(f"{folder}: vision tower {name!r} is not known; expected a folder, or {' or '.join(TOWERS)}")
    kind = str(values["model_type"])
    if not kind.startswith(("clip", "siglip")):
        raise ModelError(f"{folder}: its vision tower is of type {kind!r}; expected CLIP or SigLIP")
    build = library.CLIPVisionConfig if kind.startswith("clip") else library.SiglipVisionConfig
    return _config(folder, build, {key: value for key, value in values.items() if key not in _FOREIGN})


def _config(folder: Path, build: Any, values: dict[str, Any]) -> Any:
    from huggingface_hub.errors import StrictDataclassError

    try:
        return build(**values)
    except (StrictDataclassError, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{folder}: its config.json describes no {build.__name__} ({reason})") from error
