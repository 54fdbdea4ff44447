"""Checkpoints of VideoLLaMA2 in their published layout, tiny and random; names of tensors written out here by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import transformers as _transformers
from safetensors.torch import save_file

from tests.models.tiny_parts import TEXT, tokenizer

transformers: Any = _transformers

TOWER = "model.vision_tower.vision_tower.vision_model."
PROJECTOR = "model.mm_projector."
Release = Literal["2", "2.1"]

PUBLISHED = {
    "2": {
        "model_type": "videollama2_mistral",
        "_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "mm_hidden_size": 1024,
        "mm_projector_type": "stc_connector",
        "mm_vision_tower": "openai/clip-vit-large-patch14-336",
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "num_frames": 16,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
    },
    "2.1": {
        "model_type": "videollama2_qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "mm_hidden_size": 1152,
        "mm_projector_type": "stc_connector_v35",
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "num_frames": 16,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
    },
}
"""``config.json`` of VideoLLaMA2-7B-16F and VideoLLaMA2.1-7B-16F, as far as it decides shapes."""


def connector_shapes(seen: int, width: int, depth: int = 4) -> dict[str, tuple[int, ...]]:
    """Names in the published checkpoints of the connector's tensors, and their shapes."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(name: str, weight: tuple[int, ...], bias: int | None) -> None:
        shapes[f"{name}.weight"] = weight
        if bias is not None:
            shapes[f"{name}.bias"] = (bias,)

    for stage in ("s1", "s2"):
        for number in range(1, depth + 1):
            block, before = f"{stage}.b{number}", seen if (stage, number) == ("s1", 1) else width
            squeezed = round(before / 4)
            add(f"{block}.conv1.conv", (width, before, 1, 1), None)
            add(f"{block}.conv1.bn", (width,), width)
            add(f"{block}.conv2.conv", (width, 1, 3, 3), None)
            add(f"{block}.conv2.bn", (width,), width)
            add(f"{block}.se.fc1", (squeezed, width, 1, 1), squeezed)
            add(f"{block}.se.fc2", (width, squeezed, 1, 1), width)
            add(f"{block}.conv3.conv", (width, width, 1, 1), None)
            add(f"{block}.conv3.bn", (width,), width)
            if before != width:
                add(f"{block}.downsample.conv", (width, before, 1, 1), None)
                add(f"{block}.downsample.bn", (width,), width)
    add("sampler.0", (width, width, 2, 2, 2), width)
    add("readout.0", (width, width), width)
    add("readout.2", (width, width), width)
    return shapes


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Random tensors: those of norms near one, the others small."""
    made: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        spread = 0.5 * torch.randn(shape) * min(1.0, 3 * max(1, torch.Size(shape[1:]).numel()) ** -0.5)
        made[name] = spread + float(name.endswith("bn.weight"))
    return made


def tiny_checkpoint(folder: Path, release: Release = "2", *, template: str = "", base: bool = False) -> Path:
    """Write a checkpoint: two safetensors parts with their index, or the ``-Base`` layout.

    Args:
        folder: Where to; a ``-Base`` checkpoint's language model and tower come to lie below it.
        release: Whose architecture.
        template: The tokenizer's chat template.
        base: Whether it is of the ``-Base`` layout.
    """
    torch.manual_seed(0)
    words = tokenizer(["<unk>", "<s>", "</s>"], unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    words.chat_template = template or None
    tower, language = _tower(release), _language(release, len(words))
    width, seen = TEXT["hidden_size"], tower.config.hidden_size
    connector = random_weights(connector_shapes(int(seen), int(width)))
    folder.mkdir(parents=True)
    tower.config.save_pretrained(folder / "tower-clip")
    config = PUBLISHED[release] | TEXT | {"vocab_size": len(words), "mm_vision_tower": "tower-clip"}
    config |= {"torch_dtype": "float32", "_name_or_path": str(folder / "language")}
    (folder / "config.json").write_text(json.dumps(config))
    projector = {PROJECTOR + name: tensor for name, tensor in connector.items()}
    if base:
        language.save_pretrained(folder / "language")
        words.save_pretrained(folder / "language")
        halves = {f"vision_model.{name}": tensor for name, tensor in tower.state_dict().items()}
        save_file(halves | {"logit_scale": torch.ones(1)}, folder / "tower-clip" / "model.safetensors")
        torch.save(projector, folder / "mm_projector.bin")
        return folder
    words.save_pretrained(folder)
    weights = language.state_dict() | projector | {TOWER + name: tensor for name, tensor in tower.state_dict().items()}
    save_parts(folder, weights)
    return folder


def save_parts(folder: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Write weights in two parts with an index."""
    names, places = sorted(weights), dict[str, str]()
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name].contiguous() for name in part}, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def _tower(release: Release) -> Any:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    kind = "CLIP" if release == "2" else "Siglip"
    config = getattr(transformers, f"{kind}VisionConfig")(**sizes, image_size=56, patch_size=14)
    return getattr(transformers, f"{kind}VisionModel")(config)


def _language(release: Release, words: int) -> Any:
    kind = "Mistral" if release == "2" else "Qwen2"
    extra = {"sliding_window": None} if release == "2" else {}
    config = getattr(transformers, f"{kind}Config")(**TEXT, **extra, vocab_size=words, rope_theta=1000000.0)
    return getattr(transformers, f"{kind}ForCausalLM")(config)
