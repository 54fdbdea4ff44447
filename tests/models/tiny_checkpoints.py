"""Tiny random checkpoints of the real classes: made in the test, saved with ``save_pretrained``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as _transformers

from tests.models.tiny_parts import TEXT, clip, save, siglip, template, tokenizer
from tests.models.tiny_qwen import qwen2_5_vl, qwen2_vl, qwen3_5, qwen3_vl, videollama3

transformers: Any = _transformers

SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}"
    "{{ ':' if m['content'][0]['type'] == 'image' else ': ' }}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}"
    "{% elif c['type'] == 'image' %}<image>{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""As published: of images alone; the processor puts another one in its place where there is a video."""

VICUNA_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'][0]['text'] }} {% else %}"
    "{{ m['role'].upper() }}: {% for c in m['content'] %}"
    "{% if c['type'] in ('image', 'video') %}<{{ c['type'] }}>\n{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }} {% endif %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""In the style of Vicuna: a system prompt without a name, frames before texts, a blank after each."""


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP and Qwen2, a fixed number of tokens a frame."""
    words = tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    config = transformers.LlavaOnevisionConfig(
        text_config=transformers.Qwen2Config(**TEXT, vocab_size=len(words)),
        vision_config=siglip(),
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
    return save(folder, transformers.LlavaOnevisionForConditionalGeneration, config, processor)


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
    return save(folder, transformers.InternVLForConditionalGeneration, config, processor)


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
        vision_config=siglip(),
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
    return save(folder, transformers.Gemma3ForConditionalGeneration, config, processor)


def smolvlm(folder: Path) -> Path:
    """SmolVLM2: 4 tokens a frame, each with its minute and second; a template of its own where there is a video."""
    parts = {
        "fake_image_token": "<fake_token_around_image>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "global_image_token": "<global-img>",
        "video_token": "<video>",
    }
    words = tokenizer(
        ["<|endoftext|>", "<|im_start|>", *parts.values()],
        eos_token="<end_of_utterance>",
        bos_token="<|im_start|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=parts,
    )
    config = transformers.SmolVLMConfig(
        text_config=transformers.LlamaConfig(**TEXT, vocab_size=len(words)),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
        },
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )
    size = {"max_image_size": {"longest_edge": 56}, "size": {"longest_edge": 56}}
    processor = transformers.SmolVLMProcessor(
        image_processor=transformers.SmolVLMImageProcessor(**size, do_image_splitting=False),
        # The published checkpoints say how they sample by themselves.
        video_processor=transformers.SmolVLMVideoProcessor(
            **size, video_sampling={"fps": 1, "max_frames": 8, "video_size": {"longest_edge": 56}}
        ),
        tokenizer=words,
        image_seq_len=4,
        chat_template=SMOLVLM_TEMPLATE,
    )
    return save(folder, transformers.SmolVLMForConditionalGeneration, config, processor)


def video_llava(folder: Path) -> Path:
    """Video-LLaVA: two towers of CLIP, 17 tokens a frame, no sign between turns."""
    words = _vicuna_tokenizer()
    config = transformers.VideoLlavaConfig(
        text_config=transformers.LlamaConfig(**TEXT, vocab_size=len(words)),
        vision_config=clip(),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        video_seq_length=8 * 17,
    )
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    processor = transformers.VideoLlavaProcessor(
        image_processor=transformers.VideoLlavaImageProcessor(**size),
        video_processor=transformers.VideoLlavaVideoProcessor(**size),
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA_TEMPLATE,
    )
    return save(folder, transformers.VideoLlavaForConditionalGeneration, config, processor)


def llava_next_video(folder: Path) -> Path:
    """LLaVA-NeXT-Video: CLIP, a frame's patches pooled 2 x 2."""
    words = _vicuna_tokenizer()
    config = transformers.LlavaNextVideoConfig(
        text_config=transformers.LlamaConfig(**TEXT, vocab_size=len(words)),
        vision_config=clip(),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[56, 56]],
    )
    size = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    processor = transformers.LlavaNextVideoProcessor(
        image_processor=transformers.LlavaNextImageProcessor(**size, image_grid_pinpoints=[[56, 56]]),
        video_processor=transformers.LlavaNextVideoVideoProcessor(**size),
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA_TEMPLATE,
    )
    return save(folder, transformers.LlavaNextVideoForConditionalGeneration, config, processor)


def gemma4(folder: Path) -> Path:
    """Gemma 4: padded patches, the minute and second of each frame, sliding layers; its processor samples frames."""
    parts = {
        "image_token": "<|image|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "audio_token": "<|audio|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
    }
    words = tokenizer(
        ["<pad>", "<bos>", "<|im_start|>", "<|im_end|>", "<|video|>", *parts.values()],
        eos_token="<|im_end|>",
        pad_token="<pad>",
        bos_token="<bos>",
        extra_special_tokens=parts,
    )
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    config = transformers.Gemma4Config(
        text_config={
            **TEXT,
            "vocab_size": len(words),
            "head_dim": 8,
            "global_head_dim": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 64,
            "hidden_size_per_layer_input": 0,
            "rope_parameters": {"sliding_attention": rope, "full_attention": rope},
            "use_bidirectional_attention": "vision",
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "position_embedding_size": 128,
            "pooling_kernel_size": 2,
        },
        audio_config=None,
        image_token_id=words.convert_tokens_to_ids("<|image|>"),
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
    )
    processor = transformers.Gemma4Processor(
        feature_extractor=transformers.Gemma4AudioFeatureExtractor(),
        image_processor=transformers.Gemma4ImageProcessor(max_soft_tokens=70, pooling_kernel_size=2),
        video_processor=transformers.Gemma4VideoProcessor(max_soft_tokens=70, pooling_kernel_size=2),
        tokenizer=words,
        chat_template="<bos>" + template("<|image|>", "<|video|>"),
    )
    return save(folder, transformers.Gemma4ForConditionalGeneration, config, processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "llava-onevision": llava_onevision,
    "internvl": internvl,
    "gemma3": gemma3,
    "gemma4": gemma4,
    "videollama3": videollama3,
    "smolvlm": smolvlm,
    "video-llava": video_llava,
    "llava-next-video": llava_next_video,
    "qwen3.5": qwen3_5,
}
"""Makers by name: each saves a checkpoint in a folder and returns it."""


def _vicuna_tokenizer() -> Any:
    return tokenizer(
        ["<unk>", "<s>", "</s>", "<image>", "<video>"], eos_token="</s>", bos_token="<s>", pad_token="<unk>"
    )
