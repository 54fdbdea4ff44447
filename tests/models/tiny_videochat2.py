"""Checkpoints of VideoChat2 in their published layout, tiny and random; names of tensors written out here by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as _transformers

from tests.models.tiny_parts import TEXT, tokenizer

transformers: Any = _transformers

LANGUAGE = "mistral_model.base_model.model."
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Measures:
    """All sizes of a VideoChat2; the defaults are those of ``video_chat2/configs`` and ``bert-base-uncased``."""

    width: int = 1024
    depth: int = 24
    patch: int = 16
    queries: int = 32
    extra: int = 64
    bert: int = 768
    bert_layers: int = 12
    bert_inside: int = 3072
    bert_places: int = 512
    bert_words: int = 30522
    hidden: int = 4096
    inside: int = 14336
    keys: int = 1024
    layers: int = 32
    words: int = 32000


TINY = Measures(32, 4, 8, 3, 5, 16, 2, 24, 40, 600, 32, 48, 16, 2, 600)


def encoder_shapes(size: Measures) -> Shapes:
    """The video transformer: the last of its blocks is not kept."""
    shapes: Shapes = {}
    inside = "vision_encoder.encoder."
    _linear(shapes, f"{inside}patch_embed.proj", (size.width, 3, 1, size.patch, size.patch))
    for number in range(size.depth - 1):
        block = f"{inside}blocks.{number}."
        _norm(shapes, f"{block}norm1", size.width)
        _norm(shapes, f"{block}norm2", size.width)
        shapes |= {f"{block}attn.q_bias": (size.width,), f"{block}attn.v_bias": (size.width,)}
        shapes[f"{block}attn.qkv.weight"] = (3 * size.width, size.width)
        _linear(shapes, f"{block}attn.proj", (size.width, size.width))
        _linear(shapes, f"{block}mlp.fc1", (4 * size.width, size.width))
        _linear(shapes, f"{block}mlp.fc2", (size.width, 4 * size.width))
    return shapes


def qformer_shapes(size: Measures) -> Shapes:
    """The Q-Former: BERT, looking at the video in every second layer, with one word more."""
    shapes: Shapes = {"qformer.bert.embeddings.word_embeddings.weight": (size.bert_words + 1, size.bert)}
    shapes["qformer.bert.embeddings.position_embeddings.weight"] = (size.bert_places, size.bert)
    _norm(shapes, "qformer.bert.embeddings.LayerNorm", size.bert)
    for number in range(size.bert_layers):
        layer = f"qformer.bert.encoder.layer.{number}."
        looks = [("attention", size.bert)] + [("crossattention", size.width)] * (number % 2 == 0)
        for kind, seen in looks:
            for part, wide in (("query", size.bert), ("key", seen), ("value", seen)):
                _linear(shapes, f"{layer}{kind}.self.{part}", (size.bert, wide))
            _linear(shapes, f"{layer}{kind}.output.dense", (size.bert, size.bert))
            _norm(shapes, f"{layer}{kind}.output.LayerNorm", size.bert)
        for end in ("", "_query"):
            _linear(shapes, f"{layer}intermediate{end}.dense", (size.bert_inside, size.bert))
            _linear(shapes, f"{layer}output{end}.dense", (size.bert, size.bert_inside))
            _norm(shapes, f"{layer}output{end}.LayerNorm", size.bert)
    return shapes


def change_shapes(size: Measures) -> Shapes:
    """Low-rank changes of rank 16 of every linear layer of the language model, as peft names them."""
    inside, hidden, keys = size.inside, size.hidden, size.keys
    linear = {
        "q_proj": (hidden, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "o_proj": (hidden, hidden),
    }
    mlp = {"gate_proj": (inside, hidden), "up_proj": (inside, hidden), "down_proj": (hidden, inside)}
    modules = {"lm_head": (size.words, hidden)}
    for number in range(size.layers):
        modules |= {f"model.layers.{number}.self_attn.{name}": shape for name, shape in linear.items()}
        modules |= {f"model.layers.{number}.mlp.{name}": shape for name, shape in mlp.items()}
    shapes: Shapes = {}
    for name, (after, before) in modules.items():
        shapes[f"{LANGUAGE}{name}.lora_A.default.weight"] = (16, before)
        shapes[f"{LANGUAGE}{name}.lora_B.default.weight"] = (after, 16)
    return shapes


def trained_shapes(size: Measures) -> Shapes:
    """Every tensor of a published ``.pth`` file."""
    shapes = encoder_shapes(size) | qformer_shapes(size) | change_shapes(size)
    _norm(shapes, "vision_layernorm", size.width)
    _linear(shapes, "mistral_proj", (size.hidden, size.bert))
    return shapes | {"query_tokens": (1, size.queries, size.bert), "extra_query_tokens": (1, size.extra, size.bert)}


def tiny_videochat2(folder: Path) -> Path:
    """Write the three parts of a checkpoint below a folder.

    Returns:
        The ``.pth`` file; the language model lies in ``language``, the Q-Former's vocabulary in ``vocabulary``.
    """
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    words = tokenizer(["<unk>", "<s>", "</s>"], unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    tower = {"encoder_embed_dim": 32, "encoder_depth": 4, "encoder_num_heads": 2, "patch_size": 8, "img_size": 32}
    model = {"vision_encoder": tower | {"ckpt_num_frame": 4}, "num_query_token": 3, "extra_num_query_token": 5}
    (folder / "config.json").write_text(json.dumps({"model": model}))
    config = transformers.MistralConfig(**TEXT | {"initializer_range": 0.2}, vocab_size=TINY.words, sliding_window=None)
    transformers.MistralForCausalLM(config).save_pretrained(folder / "language")
    words.save_pretrained(folder / "language")
    words.save_pretrained(folder / "vocabulary")
    bert: dict[str, int | str] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    bert |= {"max_position_embeddings": 40, "vocab_size": 600, "model_type": "bert"}
    (folder / "vocabulary" / "config.json").write_text(json.dumps(bert))
    file = folder / "videochat2_mistral_7b_stage3.pth"
    torch.save({"model": random_tensors(trained_shapes(TINY))}, file)
    return file


def random_tensors(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Random tensors: norms near one, all else small; low-rank changes smaller, for they add up."""
    near = ("norm1.weight", "norm2.weight", "LayerNorm.weight", "layernorm.weight")
    return {
        name: torch.randn(shape) * (0.1 if "lora" in name else 0.3) + float(name.endswith(near))
        for name, shape in shapes.items()
    }


def _linear(shapes: Shapes, name: str, shape: tuple[int, ...]) -> None:
    shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(shapes: Shapes, name: str, width: int) -> None:
    shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
