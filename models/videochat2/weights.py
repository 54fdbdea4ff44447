"""Published weights of VideoChat2: their names, and loading them with nothing missing or left over.

A ``.pth`` file holds exactly what was trained; what it lacks is exactly the frozen language model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from egobench.errors import ModelError, bare_reason
from reference_exo2ego.backbone.weights import check_weights, read_weights, weight_files

from .._local.checkpoint import explained
from .vision import Sizes, VisualEncoder

LANGUAGE = "mistral_model.base_model.model."
"""How names of the language model begin, as peft names what it wraps."""

RANK = 16
SCALE = 32 / 16
"""Of the low-rank changes (arXiv 2106.09685): the scale is alpha over rank."""

DERIVED = (".position_ids", ".inv_freq")
"""Ends of names of what older releases of transformers saved and could have computed."""

CONFIG_KEYS = {
    "width": "encoder_embed_dim",
    "depth": "encoder_depth",
    "heads": "encoder_num_heads",
    "patch": "patch_size",
    "side": "img_size",
    "trained": "ckpt_num_frame",
    "queries": "num_query_token",
    "extra": "extra_num_query_token",
}
"""What a config of the official form calls the sizes of the visual half."""

_RENAMED = (
    ("qformer.", "qformer.bert."),
    ("embeddings.layernorm.", "embeddings.LayerNorm."),
    ("attention.attention.", "attention.self."),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be loaded.

    Attributes:
        sizes: Of the visual half.
        qformer: Config of the Q-Former, of transformers.
        language: Config of the language model, of transformers.
    """

    sizes: Sizes
    qformer: Any
    language: Any


def read_sizes(weights: Path, language: Path, vocabulary: Path) -> Plan:
    """Sizes of what is to be loaded.

    Args:
        weights: The ``.pth`` file. A ``config.json`` of the official form beside it gives sizes other than the
            published ones.
        language: Folder of the language model.
        vocabulary: Folder of the Q-Former's tokenizer; a ``config.json`` there gives the Q-Former's sizes.

    Raises:
        ModelError: If a config cannot be read, or the language model is no Mistral.
    """
    import transformers

    library: Any = transformers
    with explained(f"{language}: no config that transformers reads"):
        described = library.AutoConfig.from_pretrained(language, trust_remote_code=False)
    if described.model_type != "mistral":
        raise ModelError(f"{language}: a {described.model_type!r}; VideoChat2 stands on Mistral-7B-Instruct-v0.2")
    sizes = _sizes(weights.parent / "config.json")
    bert = _json(vocabulary / "config.json")
    kept = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings")
    # One word more than BERT: [DEC], which begins what a decoder writes and is not used here.
    qformer = library.InstructBlipQFormerConfig(
        **{key: bert[key] for key in kept if key in bert},
        vocab_size=int(bert.get("vocab_size", 30522)) + 1,
        encoder_hidden_size=sizes.width,
    )
    return Plan(sizes, qformer, described)


def trained_shapes(plan: Plan) -> dict[str, torch.Size]:
    """The shape of every tensor of a published ``.pth`` file, by its published name."""
    with torch.device("meta"):
        visual, language = _random_visual(plan), _language_class()(plan.language)
    shapes = {published_name(name): tensor.shape for name, tensor in visual.state_dict().items()}
    for name, module in language.named_modules():
        if isinstance(module, nn.Linear):
            down, up = _change(name)
            shapes[down] = torch.Size((RANK, module.in_features))
            shapes[up] = torch.Size((module.out_features, RANK))
    return shapes


def frozen_shapes(plan: Plan) -> dict[str, torch.Size]:
    """The shape of every tensor of the language model, by the name it has by itself."""
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in _language_class()(plan.language).state_dict().items()}


def published_name(name: str) -> str:
    """The published name of a tensor of :class:`VisualEncoder`."""
    if not name.startswith("qformer."):
        return name
    for own, published in _RENAMED:
        name = name.replace(own, published)
    return name


def load_published(plan: Plan, weights: Path, language: Path, *, dtype: str, device: str) -> tuple[VisualEncoder, Any]:
    """Load the visual half, and the language model with its changes put in.

    Args:
        plan: What is to be loaded.
        weights: The ``.pth`` file.
        language: Folder of the frozen language model.
        dtype: Number format to compute in; ``auto`` is the language model's.
        device: What :class:`torch.device` takes; ``balanced`` spreads the language model over all GPUs.

    Raises:
        ModelError: If a file is damaged or refused, or a tensor is missing, extra or misshapen.
    """
    trained = {name: tensor for name, tensor in read_weights([weights]).items() if not name.endswith(DERIVED)}
    _check_release(weights, trained)
    with explained(f"{language} and {weights.parent}: transformers cannot build what their config.json describe"):
        expected = trained_shapes(plan)
    check_weights(weights, trained, expected)
    files = weight_files(language)
    frozen = {name: tensor for name, tensor in read_weights(files).items() if not name.endswith(DERIVED)}
    check_weights(language, frozen, frozen_shapes(plan))
    number = (plan.language.dtype or torch.float32) if dtype == "auto" else getattr(torch, dtype)
    model = _language_class().from_pretrained(
        None, config=plan.language, state_dict=changed(frozen, trained, number), dtype=number, device_map=device
    )
    return _load_visual(plan, trained, model.device, number), model.eval()


def changed(
    frozen: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """The language model's weights with the low-rank changes added, each computed in float32."""

    def with_change(name: str, tensor: torch.Tensor) -> torch.Tensor:
        down, up = (trained.get(each) for each in _change(name.removesuffix(".weight")))
        if down is None or up is None:
            return tensor.to(dtype)
        return (tensor.float() + SCALE * up.float() @ down.float()).to(dtype)

    return {name: with_change(name, tensor) for name, tensor in frozen.items()}


def _check_release(weights: Path, trained: Mapping[str, torch.Tensor]) -> None:
    """Tell a checkpoint of another stage or language model from a broken one.

    Raises:
        ModelError: If it is one.
    """
    supported = "supported are stage 3 on Mistral and HD, which is its stage 4"
    parts = [name.removesuffix("_proj.weight") for name in trained if name.endswith("_proj.weight")]
    language = next((part for part in parts if "." not in part), None)
    if language is None:
        raise ModelError(f"{weights}: no way into a language model, as of stage 1; {supported}")
    if language != "mistral":
        other = {"llama": "Vicuna", "phi": "Phi-3"}.get(language, language)
        raise ModelError(f"{weights}: a VideoChat2 on {other}; {supported}")
    if not any(".lora_" in name for name in trained):
        raise ModelError(f"{weights}: no changes of the language model, as of stage 2; {supported}")


def _change(module: str) -> tuple[str, str]:
    return f"{LANGUAGE}{module}.lora_A.default.weight", f"{LANGUAGE}{module}.lora_B.default.weight"


def _load_visual(
    plan: Plan, trained: Mapping[str, torch.Tensor], device: torch.device, dtype: torch.dtype
) -> VisualEncoder:
    with torch.device("meta"):
        visual = _random_visual(plan)
    inside = "qformer."
    placed = {name: trained[published_name(name)].to(device=device, dtype=dtype) for name in visual.state_dict()}
    # transformers computes what is derived (position numbers), which the meta device leaves out.
    visual.qformer = _qformer_class().from_pretrained(
        None,
        config=plan.qformer,
        state_dict={name.removeprefix(inside): each for name, each in placed.items() if name.startswith(inside)},
        dtype=dtype,
        device_map=str(device),
    )
    visual.load_state_dict(placed, assign=True)
    return visual.eval()


def _random_visual(plan: Plan) -> VisualEncoder:
    return VisualEncoder(plan.sizes, _qformer_class()(plan.qformer), plan.language.hidden_size)


def _qformer_class() -> Any:
    import transformers

    library: Any = transformers
    return library.InstructBlipQFormerModel


def _language_class() -> Any:
    import transformers

    library: Any = transformers
    return library.MistralForCausalLM


def _sizes(path: Path) -> Sizes:
    """Sizes that a config of the official form gives, the published ones where it gives none.

    Raises:
        ModelError: If one is no number.
    """
    config = _json(path).get("model")
    config = config if isinstance(config, dict) else {}
    tower = config.get("vision_encoder")
    values = {**config, **(tower if isinstance(tower, dict) else {})}
    sizes = {name: values[key] for name, key in CONFIG_KEYS.items() if key in values}
    for name, size in sizes.items():
        if not (isinstance(size, int) and size > 0):
            raise ModelError(f"{path}: {CONFIG_KEYS[name]} {size!r}; expected a number from 1 up")
    return Sizes(**sizes)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: no JSON ({bare_reason(error)}); copy or download it again") from error
    return content if isinstance(content, dict) else {}
