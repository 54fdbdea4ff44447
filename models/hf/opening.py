"""Opening a checkpoint: its processor is asked how it wants to be asked, then its weights are loaded, all of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

from egobench.errors import ModelError
from egobench.model import FramePolicy, ModelInfo

from .._asking import PREFILL, make_greedy
from .._device import torch_device
from .adapter import TransformersModel
from .chat import open_chat
from .checkpoint import check_loaded, find_checkpoint, quantised, weights_fingerprint
from .rope import fix_text_positions


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of :func:`egobench.models.hf.load`, which says what they mean."""

    checkpoint: str
    revision: str
    dtype: str
    device: str
    frames: int | None
    short_side: int | None
    as_images: Literal["auto", "yes", "no"]
    rope_fix: bool
    thinking: int


def open_model(asked: Asked) -> TransformersModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    import transformers

    library: Any = transformers
    folder, revision = find_checkpoint(asked.checkpoint, asked.revision)
    name = Path(asked.checkpoint).resolve().name
    weights = weights_fingerprint(folder)
    device = torch_device(asked.device)
    with _explained(folder):
        processor = library.AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    chat = open_chat(processor, name, asked.as_images, asked.thinking)
    with _explained(folder):
        model, found = library.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=asked.dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
            device_map=device,
        )
    check_loaded(folder, type(model).__name__, found)
    _settle(model, processor)
    fixed = asked.rope_fix and fix_text_positions(model)
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
        frames=FramePolicy(asked.frames, asked.short_side),
        settings=settings,
    )
    return TransformersModel(info, model.eval(), chat)


@contextmanager
def _explained(folder: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = shorten(" ".join(str(error).split()), 600, placeholder=" ...")
        raise ModelError(f"checkpoint {folder}: transformers cannot load it ({reason})") from error


def _settle(model: Any, processor: Any) -> None:
    """Make generation plainly greedy, pad on the left, and make as many tokens of a video as the models' own code."""
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    make_greedy(model, tokenizer)
    video = getattr(processor, "video_processor", None)
    if video is not None and getattr(video, "cap_pixels_per_frame", True) is None:
        # Unset, transformers makes more tokens of long videos than the models' own code does (qwen-vl-utils).
        video.cap_pixels_per_frame = True
