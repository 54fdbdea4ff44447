"""The adapter: what Exo2Ego sees of a prompt, and opening its folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from egobench.errors import ModelError
from egobench.model import FramePolicy, ModelInfo, Prompt
from reference_exo2ego.backbone.chat import find_chat
from reference_exo2ego.backbone.fit import Fit
from reference_exo2ego.backbone.frames import clip_sight, pixels
from reference_exo2ego.model.checkpoint import FOLDERS, load, read_saved
from reference_exo2ego.model.exo2ego import Exo2Ego
from reference_exo2ego.model.stages import Stage

from .._local.checkpoint import explained
from .._local.device import torch_device
from .._local.fingerprint import checkpoint_fingerprint
from .._local.generation import PREFILL, configure_generation
from .._local.library_output import quiet_loading
from .._local.load_options import LoadOptions
from .._local.spliced_model import PromptParts, Purpose, SplicedModel, shown_frames
from ..videollama2.prompts import Template

SHIPPED = Path(__file__).with_name("exo2ego-tiny")
"""The checkpoint that comes with the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exo2EgoOptions(LoadOptions):
    """Options of :func:`egobench.models.exo2ego.load`, which says what they mean."""

    frames: int | None
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class Exo2EgoFrontend:
    """The part of a checkpoint before its language model: frames to features, prompts to words.

    Attributes:
        model: The model, without its demonstrator.
        template: How it is addressed.
        stage: The last stage that was trained.
        fit: How frames become squares.
        last: Features of the last frames by their digest: questions about one clip come one after the other.
    """

    model: Exo2Ego
    template: Template
    stage: Stage
    fit: Fit
    last: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor], repr=False)

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
        return self.template.prompt_parts(prompt, purpose)

    def encode_frames(self, prompt: Prompt) -> torch.Tensor:
        """Features of the prompt's frames, the learner's and those of F(x): ``(tokens, width)``."""
        config = self.model.config
        frames = np.ascontiguousarray(shown_frames(prompt, config.frames))
        key = f"{frames.shape} {sha256(frames.data).hexdigest()}"
        if key not in self.last:
            squares = pixels(frames, clip_sight(config.vision.image_size), self.fit)
            weight = next(self.model.connector.parameters())
            self.last.clear()
            self.last[key] = self.model.read_learner(squares.to(weight)[None], self.stage)[0]
        return self.last[key]


def open_model(options: Exo2EgoOptions) -> SplicedModel:
    """Load a checkpoint.

    Raises:
        ModelError: If it is missing or cannot be used.
    """
    with quiet_loading():
        return _open(options)


def _open(options: Exo2EgoOptions) -> SplicedModel:
    import transformers

    library: Any = transformers
    folder = SHIPPED if options.checkpoint == SHIPPED.name else Path(options.checkpoint).expanduser()
    if not folder.is_dir():
        raise ModelError(
            f"-o checkpoint={options.checkpoint}: no such folder; expected one that training or exo2ego export wrote, "
            f"or {SHIPPED.name}"
        )
    device, saved = torch_device(options.device), read_saved(folder)
    with explained(f"{folder / 'language'}: no tokenizer that transformers loads; expected tokenizer.json"):
        tokenizer = library.AutoTokenizer.from_pretrained(folder / "language", trust_remote_code=False)
    chat = find_chat(tokenizer, mistral=True)
    folders = [folder, *(folder / part for part in saved.learner if part in FOLDERS | {"low_rank"})]
    weights = checkpoint_fingerprint(folders, saved.files(saved.learner))
    model = load(folder, learner=True, dtype=options.dtype, device=device)
    configure_generation(model.language, tokenizer)
    config, fit = saved.config, options.fit or saved.config.fit
    fps = config.fps if options.frames is None else None
    info = ModelInfo(
        name=folder.resolve().name,
        revision=options.revision,
        weights=weights,
        dtype=str(model.language.dtype).removeprefix("torch."),
        frames=FramePolicy(options.frames or config.frames, config.vision.image_size, fps),
        settings={
            "fit": fit,
            "stage": saved.stage,
            "system_as": chat.system_as,
            "chat_template": sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12],
            "prefill": PREFILL,
        },
    )
    frontend = Exo2EgoFrontend(model, Template(chat, own=False), saved.stage, fit)
    return SplicedModel(info, model.language, tokenizer, frontend)
