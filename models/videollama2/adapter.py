"""The adapter: what VideoLLaMA2 sees of a prompt, and opening its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch

from egobench.errors import ModelError
from egobench.model import FramePolicy, ModelInfo, Prompt
from reference_exo2ego.backbone.architecture import LANGUAGES, VideoLlama2, architecture, read_config
from reference_exo2ego.backbone.chat import find_chat
from reference_exo2ego.backbone.frames import Sight, pixels
from reference_exo2ego.backbone.published import PROJECTOR, Parts, is_connector_alone, load_published

from .._local.checkpoint import READ, explained, find_checkpoint
from .._local.device import torch_device
from .._local.fingerprint import checkpoint_fingerprint
from .._local.generation import PREFILL, configure_generation
from .._local.library_output import quiet_loading
from .._local.load_options import LoadOptions
from .._local.spliced_model import PromptParts, Purpose, SplicedModel, shown_frames
from .prompts import Template, own_words


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLlama2Options(LoadOptions):
    """Options of :func:`egobench.models.videollama2.load`, which says what they mean."""

    frames: int | None
    fit: Literal["crop", "pad"]
    prompt: Literal["harness", "own"]
    language: str
    vision: str


@dataclass(frozen=True, slots=True)
class VideoLlama2Frontend:
    """The part of a checkpoint before its language model: frames to features, prompts to words.

    Attributes:
        model: The model.
        template: How it is addressed.
        sight: How its vision tower wants pixels.
        fit: How frames become squares.
        frames: Frames it was trained with.
    """

    model: VideoLlama2
    template: Template
    sight: Sight
    fit: Literal["crop", "pad"]
    frames: int

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
        return self.template.prompt_parts(prompt, purpose)

    def encode_frames(self, prompt: Prompt) -> torch.Tensor:
        """Features of the prompt's frames: ``(tokens, width)``."""
        seen = pixels(shown_frames(prompt, self.frames), self.sight, self.fit)
        weight = next(self.model.connector.parameters())
        return self.model.see(seen.to(weight)[None])[0]


def open_model(options: VideoLlama2Options) -> SplicedModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    with quiet_loading():
        return _open(options)


def _open(options: VideoLlama2Options) -> SplicedModel:
    import transformers

    library: Any = transformers
    parts, revision = _parts(options)
    _check_release(parts.folder)
    device = torch_device(options.device)
    described = architecture(parts.folder, vision=parts.vision)
    words = parts.language or parts.folder
    with explained(f"{words}: no tokenizer that transformers loads; expected tokenizer.json or tokenizer.model"):
        # Told the language model's config, transformers does not look for the published one's model_type in vain.
        tokenizer = library.AutoTokenizer.from_pretrained(words, config=described.language, trust_remote_code=False)
    mistral = described.language.model_type == "mistral"
    chat = find_chat(tokenizer, mistral=mistral)
    folders = [parts.folder, *filter(None, [parts.language, parts.vision])]
    weights = checkpoint_fingerprint(folders, parts.files)
    model = load_published(parts, dtype=options.dtype, device=device)
    configure_generation(model.language, tokenizer)
    settings: dict[str, str | int | float | bool | None] = {
        "fit": options.fit,
        "prompt": options.prompt if options.prompt == "harness" else f"own {own_words()}",
        "system_as": chat.system_as,
        "chat_template": sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12],
        "prefill": PREFILL,
    }
    info = ModelInfo(
        name=Path(options.checkpoint).resolve().name,
        revision=revision,
        weights=weights,
        dtype=str(model.language.dtype).removeprefix("torch."),
        frames=FramePolicy(described.frames if options.frames is None else options.frames, described.sight.side),
        settings=settings,
    )
    template = Template(chat, own=options.prompt == "own")
    frontend = VideoLlama2Frontend(model, template, described.sight, options.fit, described.frames)
    return SplicedModel(info, model.language, tokenizer, frontend)


def _check_release(folder: Path) -> None:
    """Tell a checkpoint of another form from a broken one.

    Raises:
        ModelError: If it is one.
    """
    supported = "supported are VideoLLaMA2-7B, -7B-16F, -72B and 2.1-7B-16F, each also as -Base"
    tuned = next((name for name in ("adapter_config.json", "non_lora_trainables.bin") if (folder / name).is_file()), "")
    if tuned:
        raise ModelError(
            f"{folder}: low-rank changes of a checkpoint ({tuned}), not all of its weights; {supported}; put the "
            f"changes into the weights they belong to (merge_and_unload of peft) and save those"
        )
    family = str(read_config(folder).get("model_type"))
    if family.startswith("videollama2") and family not in LANGUAGES:
        raise ModelError(f"{folder}: a VideoLLaMA2 of type {family!r}; {supported}")


def _parts(options: VideoLlama2Options) -> tuple[Parts, str]:
    """Where the weights are, and the revision."""
    folder, revision = find_checkpoint(options.checkpoint, options.revision, [*READ, PROJECTOR])
    if not is_connector_alone(folder):
        return Parts(folder), revision
    config = read_config(folder)
    read = [*READ, "pytorch_model*.bin"]
    language, _ = find_checkpoint(options.language or str(config.get("_name_or_path")), "", read, "language")
    tower = str(config.get("mm_vision_tower"))
    inside = folder / tower
    vision, _ = find_checkpoint(options.vision or (str(inside) if inside.is_dir() else tower), "", read, "vision")
    return Parts(folder, language, vision), revision
