"""Checkpoints: a folder of safetensors with one file or folder per part, saved atomically and loaded strictly.

::

    config.json                     the configuration, the last stage that was trained, which parts are here
    README.md                       the model card, if one was written
    ego_encoder/ exo_encoder/       CLIPVisionModel.from_pretrained reads them
    language/                       MistralForCausalLM.from_pretrained; the tokenizer is here too
    low_rank/                       LoRA that is not merged; PeftModel.from_pretrained reads it
    connector.safetensors to_exo.safetensors to_ego.safetensors ...       the other parts
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from egobench.errors import ConfigurationError, ModelError, bare_reason
from reference_exo2ego.backbone.architecture import language_class, read_config, tower_class
from reference_exo2ego.backbone.published import pretrained
from reference_exo2ego.backbone.weights import check_weights, read_weights, weight_files

from .configuration import Exo2EgoConfig, differences, read_configuration
from .exo2ego import Exo2Ego
from .freezing import add_low_rank, has_low_rank
from .parts import build_part, language_config, vision_config
from .stages import Part, Stage, stage_named

MODEL_TYPE = "exo2ego"
FORMAT = 1
"""Version of the folder's layout."""

FOLDERS = frozenset({"ego_encoder", "exo_encoder", "language"})
"""Parts that transformers reads by itself."""

PEFT_PREFIX = "base_model.model."
"""How peft begins the names in a file of LoRA."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the ``config.json`` of a checkpoint says.

    Attributes:
        folder: The checkpoint's folder.
        config: The configuration.
        stage: The last stage that was trained.
        parts: The saved parts.
        dtype: Number format of the weights.
    """

    folder: Path
    config: Exo2EgoConfig
    stage: Stage
    parts: tuple[Part, ...]
    dtype: str

    @property
    def learner(self) -> tuple[Part, ...]:
        """The parts needed to answer questions; LoRA that was merged is in ``language``."""
        parts = self.config.learner_in(self.stage)
        return tuple(part for part in parts if part != "low_rank" or part in self.parts)

    @property
    def whole(self) -> tuple[Part, ...]:
        """The parts needed to train on."""
        return tuple(part for part in self.config.parts if part != "low_rank" or part in self.parts)

    def files(self, parts: Collection[Part]) -> list[Path]:
        """Weight files of the named parts.

        Raises:
            ModelError: If a part is not there.
        """
        return [file for part in parts for file in _files(self.folder, part)]


def save(
    model: Exo2Ego, folder: Path, stage: Stage, *, parts: Collection[Part] | None = None, tokenizer: Any = None
) -> None:
    """Write a checkpoint; the folder appears only when it is complete.

    Args:
        model: The model.
        folder: Where to; it must not be there yet.
        stage: The last stage that was trained.
        parts: Which parts to write; ``None`` for all that the model has.
        tokenizer: Tokenizer of transformers that belongs to the language model.

    Raises:
        ModelError: If the folder is there already, the model lacks a part, or the files cannot be written.
    """
    from safetensors import SafetensorError

    if folder.exists():
        raise ModelError(f"{folder}: is there already; name a new folder, or move this one away")
    present = _present(model)
    saved_parts: tuple[Part, ...] = tuple(part for part in present if parts is None or part in parts)
    missing = sorted(set(parts or ()) - set(present))
    if missing:
        raise ModelError(f"{folder}: the model was built without {', '.join(missing)}, so it cannot be saved")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for part in saved_parts:
            _save_part(model, part, partial)
        if tokenizer is not None:
            tokenizer.save_pretrained(partial / "language")
        values = {
            "model_type": MODEL_TYPE,
            "format": FORMAT,
            "stage": stage,
            "parts": saved_parts,
            "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
            "configuration": model.config.model_dump(mode="json"),
        }
        (partial / "config.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ModelError(
            f"{folder}: cannot be written ({bare_reason(error)}); is there room, and may it be written?"
        ) from error


def read_saved(folder: Path) -> Saved:
    """Read the ``config.json`` of a checkpoint.

    Raises:
        ModelError: If there is none, or it is of another model or another layout.
        ConfigurationError: If the configuration in it cannot be used.
    """
    values, path = read_config(folder), folder / "config.json"
    if values.get("model_type") != MODEL_TYPE:
        raise ModelError(
            f"{path}: model_type {values.get('model_type')!r}, expected {MODEL_TYPE!r}; a folder that training or "
            f"exo2ego export wrote"
        )
    if values.get("format") != FORMAT:
        raise ModelError(
            f"{path}: layout {values.get('format')!r}, this release reads {FORMAT}; export the checkpoint anew"
        )
    configuration, dtype = values.get("configuration"), str(values.get("dtype"))
    number = getattr(torch, dtype, None)
    if not isinstance(configuration, dict) or not isinstance(number, torch.dtype) or not number.is_floating_point:
        raise ModelError(
            f"{path}: no configuration, or no dtype of torch for weights ({dtype}); copy or export the checkpoint again"
        )
    config = read_configuration(cast("dict[str, Any]", configuration), str(path))
    names: Any = values.get("parts")
    if not isinstance(names, list):
        raise ModelError(f"{path}: parts is {names!r:.80}, expected a list; copy or export the checkpoint again")
    parts: tuple[Part, ...] = tuple(part for part in config.parts if part in names)
    try:
        stage = stage_named(str(values.get("stage")))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return Saved(folder, config, stage, parts, dtype)


def load(
    folder: Path,
    *,
    learner: bool = False,
    expected: Exo2EgoConfig | None = None,
    dtype: str = "auto",
    device: str = "cpu",
) -> Exo2Ego:
    """Load a checkpoint; a missing or extra tensor is an error.

    Args:
        folder: The checkpoint.
        learner: Whether only what answers is built and read: the demonstrator and G stay on disk.
        expected: The configuration that it should have; ``None`` for whichever it has.
        dtype: Number format to compute in, by torch's name; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``balanced`` spreads the language model over all GPUs.

    Raises:
        ModelError: If a part or a tensor is missing, extra or of another shape.
        ConfigurationError: If the checkpoint has another configuration than expected.
    """
    saved = read_saved(folder)
    if expected is not None and (other := differences(saved.config, expected)):
        raise ConfigurationError(
            f"{folder}: a checkpoint of another configuration, there and here {'; '.join(other)}; load it with its own "
            f"or begin anew"
        )
    parts = saved.learner if learner else saved.whole
    absent = sorted(set(parts) - set(saved.parts))
    if absent:
        raise ModelError(
            f"{folder}: exported without {', '.join(absent)}; it answers questions, and training goes on from a "
            f"checkpoint with all parts"
        )
    number = getattr(torch, saved.dtype if dtype == "auto" else dtype)
    with torch.device("meta"):
        model = Exo2Ego(saved.config, parts)
    place = device
    for part in sorted(parts, key=lambda part: part != "language"):
        if part != "low_rank":
            setattr(model, part, _load_part(saved, part, number, place))
        if part == "language":
            # The rest goes where the language model begins.
            place = str(model.language.get_input_embeddings().weight.device)
    if "low_rank" in parts:
        _load_low_rank(model, saved)
    return model.eval()


def merge_low_rank(model: Exo2Ego) -> None:
    """Put LoRA into the weights that it changes; without any it does nothing."""
    from peft.tuners.lora import LoraLayer

    language = model.language
    for name, layer in list(language.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge(safe_merge=True)
            above, _, last = name.rpartition(".")
            setattr(language.get_submodule(above), last, layer.get_base_layer())


def _present(model: Exo2Ego) -> tuple[Part, ...]:
    return tuple(
        part
        for part in model.config.parts
        if (has_low_rank(model) if part == "low_rank" else getattr(model, part, None) is not None)
    )


def _save_part(model: Exo2Ego, part: Part, folder: Path) -> None:
    from huggingface_hub import save_torch_state_dict
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    if part == "low_rank":
        language = model.language
        (folder / part).mkdir()
        weights = {PEFT_PREFIX + name: tensor for name, tensor in get_peft_model_state_dict(language).items()}
        save_file(_on_cpu(weights), folder / part / "adapter_model.safetensors", {"format": "pt"})
        language.peft_config["default"].save_pretrained(folder / part)
        return
    module: Any = getattr(model, part)
    # LoRA renames the layers that it changes, and has a part of its own.
    weights = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in module.state_dict().items()
        if ".lora_" not in name
    }
    if part not in FOLDERS:
        save_file(_on_cpu(weights), folder / f"{part}.safetensors", {"format": "pt"})
        return
    if part == "language" and model.config.language.tie_word_embeddings:
        weights.pop("lm_head.weight")
    config: Any = copy.deepcopy(module.config)
    config.architectures = [type(module).__name__]
    config.dtype = next(module.parameters()).dtype
    config.save_pretrained(folder / part)
    save_torch_state_dict(_on_cpu(weights), folder / part)


def _load_part(saved: Saved, part: Part, dtype: torch.dtype, device: str) -> nn.Module:
    weights = read_weights(_files(saved.folder, part))
    with torch.device("meta"):
        blank = build_part(saved.config, part)
    shapes = {name: tensor.shape for name, tensor in blank.state_dict().items()}
    if part == "language" and saved.config.language.tie_word_embeddings:
        shapes.pop("lm_head.weight")
    check_weights(saved.folder / part, weights, shapes)
    if part not in FOLDERS:
        placed = {name: tensor.to(device=device, dtype=dtype) for name, tensor in weights.items()}
        blank.load_state_dict(placed, assign=True)
        return blank
    config = language_config(saved.config) if part == "language" else vision_config(saved.config)
    build = language_class(config) if part == "language" else tower_class(config)
    module: nn.Module = pretrained(build, config, weights, dtype, device)
    return module


def _load_low_rank(model: Exo2Ego, saved: Saved) -> None:
    add_low_rank(model)
    language = model.language
    blank = {name: tensor for name, tensor in language.state_dict().items() if ".lora_" in name}
    (file,) = _files(saved.folder, "low_rank")
    weights = {
        name.removeprefix(PEFT_PREFIX).replace(".weight", ".default.weight"): tensor
        for name, tensor in read_weights([file]).items()
    }
    check_weights(file, weights, {name: tensor.shape for name, tensor in blank.items()})
    with torch.no_grad():
        for name, tensor in weights.items():
            blank[name].copy_(tensor)


def _files(folder: Path, part: Part) -> list[Path]:
    if part in FOLDERS:
        return weight_files(folder / part)
    file = folder / ("low_rank/adapter_model.safetensors" if part == "low_rank" else f"{part}.safetensors")
    if not file.is_file():
        raise ModelError(f"{file}: not there; copy or export the whole checkpoint")
    return [file]


def _on_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
