"""Opening a checkpoint: its processor is asked for its prompt format, then its weights are loaded, all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from egobench.model import FramePolicy, ModelInfo

from .._local.adapter_weights import adapter_fingerprint, add_adapter
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
from .._local.library_output import quiet_loading
from .._local.load_options import LoadOptions
from .adapter import TransformersModel
from .chat import find_chat_format
from .positions import check_positions, fix_text_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModelOptions(LoadOptions):
    """Options of :func:`egobench.models.hf.load`, which says what they mean."""

    frames: int | None
    short_side: int | None
    as_images: Literal["auto", "yes", "no"]
    rope_fix: bool
    thinking: int
    attn: Literal["auto", "sdpa", "eager", "flash_attention_2"]
    adapter: str
    merge: bool


def open_model(options: ChatModelOptions) -> TransformersModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    with quiet_loading():
        return _open(options)


def _open(options: ChatModelOptions) -> TransformersModel:
    folder, revision = find_checkpoint(options.checkpoint, options.revision)
    name = Path(options.checkpoint).resolve().name
    check_whole(folder)
    weights = checkpoint_fingerprint([folder], safetensors_files(folder))
    adapter = _Adapter.find(options)
    check_kind(folder)
    processor = _load_processor(folder)
    chat = find_chat_format(processor, name, options.as_images, options.thinking)
    model = _load_model(folder, options)
    if adapter is not None:
        add_adapter(model, adapter.folder, merge=options.merge)
    _configure(model, processor)
    fixed = options.rope_fix and fix_text_positions(model)
    check_positions(model, chat, text=options.rope_fix)
    settings: dict[str, str | int | float | bool | None] = {
        "frames_as": chat.frames,
        "system_as": "system" if chat.system else "user",
        "prefill": PREFILL,
        "rope_fix": fixed,
        "quantised": quantised(folder, model),
        "thinking": chat.thinking,
        "thinking_off_by": chat.without_thinking(),
        "attn": str(model.config._attn_implementation),
        **chat.fingerprint(),
        **(adapter.settings(merged=options.merge) if adapter is not None else {}),
    }
    info = ModelInfo(
        name=name if adapter is None else f"{name}-{adapter.folder.name}",
        revision=revision,
        weights=weights,
        dtype=str(model.dtype).removeprefix("torch."),
        frames=FramePolicy(options.frames, options.short_side),
        settings=settings,
    )
    return TransformersModel(info, model.eval(), chat)


@dataclass(frozen=True, slots=True)
class _Adapter:
    """A low-rank adapter on disk.

    Attributes:
        folder: Where it lies.
        weights: Its fingerprint.
    """

    folder: Path
    weights: str

    @classmethod
    def find(cls, options: ChatModelOptions) -> _Adapter | None:
        if not options.adapter:
            return None
        folder, _ = find_checkpoint(options.adapter, "", option="adapter")
        return cls(folder.resolve(), adapter_fingerprint(folder))

    def settings(self, *, merged: bool) -> dict[str, str | bool]:
        return {"adapter": self.weights, "adapter_merged": merged}


def _load_processor(folder: Path) -> Any:
    import transformers

    library: Any = transformers
    with explained(f"checkpoint {folder}: transformers cannot load it"):
        return library.AutoProcessor.from_pretrained(folder, trust_remote_code=False)


def _load_model(folder: Path, options: ChatModelOptions) -> Any:
    import transformers

    library: Any = transformers
    device = torch_device(options.device)
    attention = {} if options.attn == "auto" else {"attn_implementation": options.attn}
    with explained(f"checkpoint {folder}: transformers cannot load it"):
        model, loading_info = library.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=options.dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
            device_map=device,
            **attention,
        )
    check_loaded(folder, type(model).__name__, loading_info)
    return model


def _configure(model: Any, processor: Any) -> None:
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
