"""Opening a checkpoint: its processor is asked how it wants to be asked, then its weights are loaded, all of them."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from egobench.model import FramePolicy, ModelInfo

from .._local.checkpoint import (
    check_kind,
    check_loaded,
    check_whole,
    explained,
    find_checkpoint,
    quantised,
    safetensors_files,
)
from .._local.device import torch_device
from .._local.fingerprint import checkpoint_fingerprint
from .._local.generation import PREFILL, configure_generation
from .._local.load_options import LoadOptions
from .adapter import TransformersModel
from .chat import open_chat
from .rope import fix_text_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModelOptions(LoadOptions):
    """Options of :func:`egobench.models.hf.load`, which says what they mean."""

    frames: int | None
    short_side: int | None
    as_images: Literal["auto", "yes", "no"]
    rope_fix: bool
    thinking: int


def open_model(options: ChatModelOptions) -> TransformersModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    import transformers

    library: Any = transformers
    folder, revision = find_checkpoint(options.checkpoint, options.revision)
    name = Path(options.checkpoint).resolve().name
    check_whole(folder)
    weights = checkpoint_fingerprint([folder], safetensors_files(folder))
    check_kind(folder)
    device = torch_device(options.device)
    unusable = f"checkpoint {folder}: transformers cannot load it"
    with explained(unusable):
        processor = library.AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    chat = open_chat(processor, name, options.as_images, options.thinking)
    with explained(unusable), _without_report():
        model, loading_info = library.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=options.dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
            device_map=device,
        )
    check_loaded(folder, type(model).__name__, loading_info)
    _settle(model, processor)
    fixed = options.rope_fix and fix_text_positions(model)
    settings: dict[str, str | int | float | bool | None] = {
        "frames_as": chat.frames,
        "system_as": "system" if chat.system else "user",
        "prefill": PREFILL,
        "rope_fix": fixed,
        "quantised": quantised(folder, model),
        "thinking": chat.thinking,
        "thinking_off_by": chat.without_thinking(),
        **chat.fingerprint(),
    }
    info = ModelInfo(
        name=name,
        revision=revision,
        weights=weights,
        dtype=str(model.dtype).removeprefix("torch."),
        frames=FramePolicy(options.frames, options.short_side),
        settings=settings,
    )
    return TransformersModel(info, model.eval(), chat)


@contextmanager
def _without_report() -> Generator[None]:
    """Have transformers leave out its table of weights that do not fit: they are named in an error."""
    log = logging.getLogger("transformers.modeling_utils")
    log.addFilter(_no_report)
    try:
        yield
    finally:
        log.removeFilter(_no_report)


def _no_report(record: logging.LogRecord) -> bool:
    return "LOAD REPORT" not in record.getMessage()


def _settle(model: Any, processor: Any) -> None:
    """Make generation plainly greedy, pad on the left, and make as many tokens of a video as the models' own code."""
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    configure_generation(model, tokenizer)
    video = getattr(processor, "video_processor", None)
    if video is not None and getattr(video, "cap_pixels_per_frame", True) is None:
        # Unset, transformers makes more tokens of long videos than the models' own code does (qwen-vl-utils).
        video.cap_pixels_per_frame = True
