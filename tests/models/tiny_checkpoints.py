"""Tiny random checkpoints of the real classes: made in the test, saved with ``save_pretrained``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as _transformers
from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.trainers import BpeTrainer

transformers: Any = _transformers

SENTENCES = (
    "Question: What does the camera wearer cut with the knife before opening the fridge?",
    "Options:\n(A) an onion\n(B) the red mug\n(C) a slice of bread\n(D) nothing\n(E) the tap",
    "Answer with the option's letter only. Answer briefly. Carefully observe the video and choose the best option.",
    "user assistant system 0123456789",
)
"""What the tokenizers are trained on."""

WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
"""Where the tokenizers part a text: as Qwen's do, so that ``(A`` after a line's end is one token."""

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.5,
}
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


def tokenizer(specials: Sequence[str], **named: Any) -> Any:
    """A byte-level BPE tokenizer of 600 tokens.

    Args:
        specials: Its special tokens, which get the first ids.
        named: Those of them with a part to play, e.g. ``eos_token="<|im_end|>"``.
    """
    built = Tokenizer(BPE())
    parted = Split(Regex(WORDS), behavior="isolated")
    built.pre_tokenizer = Steps([parted, ByteLevel(add_prefix_space=False, use_regex=False)])
    built.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=600,
        special_tokens=list(specials),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    built.train_from_iterator(SENTENCES * 4, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=built, **named)


def template(image: str, video: str, *, system: bool = True) -> str:
    """A chat template in the style of Qwen.

    Args:
        image: What stands for an image.
        video: What stands for a video; ``""`` for a template that knows none.
        system: Whether there is a system role; else it raises at one, as Gemma's first template did.
    """
    refusal = "" if system else "{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    return (
        "{% for m in messages %}" + refusal + "<|im_start|>{{ m['role'] }}\n"
        "{% for c in m['content'] %}"
        "{% if c['type'] == 'video' %}"
        + video
        + "{% elif c['type'] == 'image' %}"
        + image
        + "{% else %}{{ c['text'] }}"
        "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
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
    return _save(
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
    return _save(folder, transformers.Qwen2_5_VLForConditionalGeneration, config, processor)


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
    size = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 32}
    processor = transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(size=size, patch_size=16),
        video_processor=transformers.Qwen3VLVideoProcessor(size=size),
        tokenizer=words,
        chat_template=QWEN_TEMPLATE,
    )
    return _save(folder, transformers.Qwen3VLForConditionalGeneration, config, processor)


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP and Qwen2, a fixed number of tokens a frame."""
    words = tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    config = transformers.LlavaOnevisionConfig(
        text_config=transformers.Qwen2Config(**TEXT, vocab_size=len(words)),
        vision_config=_siglip(),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        video_token_id=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[56, 56]],
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    processor = transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessor(
            size={"height": 56, "width": 56}, image_grid_pinpoints=[[56, 56]]
        ),
        video_processor=transformers.LlavaOnevisionVideoProcessor(size={"height": 56, "width": 56}),
        tokenizer=words,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=template("<image>", "<video>"),
    )
    return _save(folder, transformers.LlavaOnevisionForConditionalGeneration, config, processor)


def internvl(folder: Path) -> Path:
    """InternVL: one tile a frame, each frame numbered in words."""
    parts = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *parts.values()],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=parts,
    )
    config = transformers.InternVLConfig(
        text_config=transformers.Qwen2Config(**TEXT, vocab_size=len(words)),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
    )
    size = {"height": 56, "width": 56}
    processor = transformers.InternVLProcessor(
        image_processor=transformers.GotOcr2ImageProcessor(size=size),
        video_processor=transformers.InternVLVideoProcessor(size=size),
        tokenizer=words,
        image_seq_length=4,
        chat_template=template("<IMG_CONTEXT>", "<video>"),
    )
    return _save(folder, transformers.InternVLForConditionalGeneration, config, processor)


def gemma3(folder: Path) -> Path:
    """Gemma 3: images alone; layers with a sliding window; its template here has no system role."""
    parts = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    words = tokenizer(
        ["<pad>", "<bos>", "<|im_start|>", "<|im_end|>", *parts.values()],
        eos_token="<|im_end|>",
        pad_token="<pad>",
        bos_token="<bos>",
        extra_special_tokens=parts,
    )
    config = transformers.Gemma3Config(
        text_config={**TEXT, "head_dim": 8, "vocab_size": len(words), "sliding_window": 64, "query_pre_attn_scalar": 8},
        vision_config=_siglip(),
        mm_tokens_per_image=4,
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
    )
    processor = transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer=words,
        image_seq_length=4,
        chat_template="<bos>" + template("<start_of_image>", "", system=False),
    )
    return _save(folder, transformers.Gemma3ForConditionalGeneration, config, processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "llava-onevision": llava_onevision,
    "internvl": internvl,
    "gemma3": gemma3,
}
"""Makers by name: each saves a checkpoint in a folder and returns it."""


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


def _siglip() -> Any:
    return transformers.SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
    )


def _save(folder: Path, kind: Any, config: Any, processor: Any) -> Path:
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                # What a class leaves at zero before training could shut the frames out.
                parameter.normal_(std=0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
