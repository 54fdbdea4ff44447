"""Tiny random checkpoints of Qwen's families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as _transformers

from tests.models.tiny_parts import TEXT, save, template, tokenizer

transformers: Any = _transformers

MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}

QWEN_SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

QWEN_TEMPLATE = template("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>")


def qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: patches of 14 pixels, 2 x 2 merged, two frames a step."""
    words = _qwen_tokenizer()
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    config = transformers.Qwen2VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "rope_parameters": MROPE},
        vision_config=vision,
        **_qwen_ids(words),
    )
    return save(
        folder, transformers.Qwen2VLForConditionalGeneration, config, _qwen2_processor("Qwen2VLProcessor", words)
    )


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: as Qwen2-VL, with positions in time counted in seconds."""
    words = _qwen_tokenizer()
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
    }
    config = transformers.Qwen2_5_VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "rope_parameters": MROPE},
        vision_config=vision,
        **_qwen_ids(words),
    )
    processor = _qwen2_processor("Qwen2_5_VLProcessor", words)
    return save(folder, transformers.Qwen2_5_VLForConditionalGeneration, config, processor)


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: patches of 16 pixels, a timestamp before each step; its processor samples frames unless told not to."""
    words = _qwen_tokenizer()
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 32,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": 64,
    }
    config = transformers.Qwen3VLConfig(
        text_config={**TEXT, "head_dim": 8, "vocab_size": len(words), "rope_parameters": MROPE},
        vision_config=vision,
        **_qwen_ids(words),
    )
    return save(folder, transformers.Qwen3VLForConditionalGeneration, config, _qwen3_processor(words))


def videollama3(folder: Path) -> Path:
    """VideoLLaMA3: each frame with its second; of patches that look as in the frame before, the later are left out."""
    words = _qwen_tokenizer()
    config = transformers.VideoLlama3Config(
        text_config=transformers.Qwen2Config(**TEXT, vocab_size=len(words)),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 14,
        },
        **{key: number for key, number in _qwen_ids(words).items() if not key.startswith("vision")},
    )
    processor = transformers.VideoLlama3Processor(
        image_processor=transformers.VideoLlama3ImageProcessor(size={"shortest_edge": 784, "longest_edge": 56 * 56}),
        video_processor=transformers.VideoLlama3VideoProcessor(
            size={"shortest_edge": 784, "longest_edge": 56 * 56 * 16}
        ),
        tokenizer=words,
        chat_template=template("<|image_pad|>", "<|video_pad|>"),
    )
    return save(folder, transformers.VideoLlama3ForConditionalGeneration, config, processor)


def qwen3_5(folder: Path) -> Path:
    """Qwen3.5: eyes of Qwen3-VL, and layers with linear attention between those with full attention."""
    words = _qwen_tokenizer()
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
    }
    text = {
        **TEXT,
        # Linear attention is computed in blocks, or word by word, and in float32 alone.
        "initializer_range": 0.2,
        "head_dim": 16,
        "vocab_size": len(words),
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "rope_parameters": {**MROPE, "partial_rotary_factor": 0.5, "mrope_interleaved": True},
    }
    config = transformers.Qwen3_5Config(text_config=text, vision_config=vision, **_qwen_ids(words))
    return save(folder, transformers.Qwen3_5ForConditionalGeneration, config, _qwen3_processor(words))


def _qwen_tokenizer() -> Any:
    return tokenizer(QWEN_SPECIALS, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _qwen_ids(words: Any) -> dict[str, int]:
    return {
        f"{part}_token_id": words.convert_tokens_to_ids(f"<|{token}|>")
        for part, token in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }


def _qwen2_processor(kind: str, words: Any) -> Any:
    size = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    return getattr(transformers, kind)(
        image_processor=transformers.Qwen2VLImageProcessor(size=size),
        video_processor=transformers.Qwen2VLVideoProcessor(size=size),
        tokenizer=words,
        chat_template=QWEN_TEMPLATE,
    )


def _qwen3_processor(words: Any) -> Any:
    size = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 32}
    return transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(size=size, patch_size=16),
        video_processor=transformers.Qwen3VLVideoProcessor(size=size),
        tokenizer=words,
        chat_template=QWEN_TEMPLATE,
    )
