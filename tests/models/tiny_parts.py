"""What tiny checkpoints are made of: tokenizers, chat templates, small sizes, and saving them."""

from __future__ import annotations

from collections.abc import Sequence
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


def siglip() -> Any:
    """A vision tower of SigLIP: 4 x 4 patches."""
    return transformers.SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
    )


def save(folder: Path, kind: Any, config: Any, processor: Any) -> Path:
    """Save a random model of a class with its processor; returns the folder."""
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


def clip() -> Any:
    """A vision tower of CLIP: 4 x 4 patches and a token of its own."""
    return transformers.CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
    )
