"""Tiny random checkpoints of the real dual encoders, saved with ``save_pretrained``.

The tokenizers do what those of the releases do: CLIP's puts a text between a start and an end token and fills up with
the latter, SigLIP's ends it and fills up without a mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as _transformers
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

transformers: Any = _transformers

SENTENCES = (
    "what does the camera wearer cut with the knife before opening the fridge?",
    "take plate, put down plate, cut an onion, the red mug, a slice of bread, turn left and move forward",
)
"""What the tokenizers are trained on."""

CONTEXT = 24
"""Tokens that the text towers read."""

FRAMES = 4
"""Frames that X-CLIP reads."""

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "projection_dim": 24,
    "projection_size": 32,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 24,
}


def clip(folder: Path) -> Path:
    """CLIP: 32 pixels, patches of 8, a joint space of 24 dimensions."""
    words = _clip_words()
    config = transformers.CLIPConfig(text_config=_text(words), vision_config=VISION, projection_dim=24)
    pixels = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = transformers.CLIPProcessor(image_processor=pixels, tokenizer=words)
    return _save(folder, transformers.CLIPModel, config, processor)


def siglip(folder: Path) -> Path:
    """SigLIP: 32 pixels square, a scale and a bias on its cosines."""
    words = _siglip_words()
    config = transformers.SiglipConfig(text_config=_text(words), vision_config=VISION)
    pixels = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    processor = transformers.SiglipProcessor(image_processor=pixels, tokenizer=words)
    return _save(folder, transformers.SiglipModel, config, processor)


def siglip2(folder: Path) -> Path:
    """SigLIP 2 with images of any shape: at most 16 patches of 8 pixels."""
    words = transformers.Siglip2Tokenizer().train_new_from_iterator(SENTENCES * 4, vocab_size=400)
    vision = {**VISION, "num_patches": 16}
    config = transformers.Siglip2Config(text_config=_text(words), vision_config=vision)
    pixels = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    processor = transformers.Siglip2Processor(image_processor=pixels, tokenizer=words)
    return _save(folder, transformers.Siglip2Model, config, processor)


def x_clip(folder: Path) -> Path:
    """X-CLIP: clips of four frames, a temporal encoder of one layer."""
    words = _clip_words()
    temporal = {"mit_hidden_size": 24, "mit_intermediate_size": 48, "mit_num_hidden_layers": 1}
    vision = {**VISION, **temporal, "mit_num_attention_heads": 4, "num_frames": FRAMES}
    config = transformers.XCLIPConfig(
        text_config=_text(words), vision_config=vision, projection_dim=24, prompt_num_attention_heads=4
    )
    pixels = transformers.VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = transformers.XCLIPProcessor(image_processor=pixels, tokenizer=words)
    return _save(folder, transformers.XCLIPModel, config, processor)


FAMILIES = {"clip": clip, "siglip": siglip, "siglip2": siglip2, "x_clip": x_clip}


def _clip_words() -> Any:
    return transformers.CLIPTokenizer().train_new_from_iterator(
        SENTENCES * 4, vocab_size=600, initial_alphabet=ByteLevel.alphabet()
    )


def _siglip_words() -> Any:
    built = Tokenizer(BPE(unk_token=None))
    built.normalizer = Lowercase()
    built.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=400, special_tokens=["</s>"], initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    built.train_from_iterator(SENTENCES * 4, trainer)
    built.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    ends = {"eos_token": "</s>", "pad_token": "</s>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=built, model_max_length=CONTEXT, model_input_names=["input_ids"], **ends
    )


def _text(words: Any) -> dict[str, Any]:
    ids = {"eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id}
    return {**TEXT, **ids, "vocab_size": len(words)}


def _save(folder: Path, kind: Any, config: Any, processor: Any) -> Path:
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                # The initial weights of most families give all inputs nearly the same embedding.
                weight.normal_(std=0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
