"""VideoLLaMA2 and 2.1 (arXiv 2406.07476), on transformers' own parts: no code comes with the checkpoint.

Weights are read by the map of names in :mod:`reference_exo2ego.backbone`; all of them, and no others. A checkpoint of
the ``-Base`` layout names its language model and its vision tower, which are looked for in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from egobench.errors import ModelError
from egobench.model import FramePolicy, Model, ModelInfo, Prompt
from egobench.prompts import LETTERS, user_turn

if TYPE_CHECKING:
    import torch

    from reference_exo2ego.backbone.architecture import VideoLlama2
    from reference_exo2ego.backbone.frames import Sight
    from reference_exo2ego.backbone.published import Parts

    from ._spliced import Purpose, SplicedModel, Turn

VIDEO = "<video>"
"""Where the clip's features go."""

SAFETY = (
    "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe.  "
    "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. "
    "Please ensure that your responses are socially unbiased and positive in nature.\n"
    "If a question does not make any sense, or is not factually coherent, explain why instead of answering something "
    "not correct. If you don't know the answer to a question, please don't share false information."
)
"""The system prompt that the releases on Mistral were trained with: Llama 2's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of :func:`load`, which says what they mean."""

    checkpoint: str
    revision: str
    dtype: str
    device: str
    frames: int | None
    fit: Literal["crop", "pad"]
    prompt: Literal["harness", "own"]
    language: str
    vision: str


@dataclass(frozen=True, slots=True)
class Template:
    """How a checkpoint's language model is addressed.

    Attributes:
        tokenizer: Its tokenizer.
        mistral: Whether system prompts stand in marks of Llama 2.
        own: Whether the release's own prompt is put, else the harness's.
        system_as: Where a system prompt goes.
    """

    tokenizer: Any
    mistral: bool
    own: bool
    system_as: Literal["system", "user", "fixed"]

    def render(self, system: str, user: str) -> str:
        """The prompt as one text, up to where the answer begins."""
        if self.system_as == "fixed":
            marked = f"{self._marked(system)}\n\n" if system else ""
            return f"{self.tokenizer.bos_token or ''}[INST] {marked}{user} [/INST]"
        turns = [{"role": "user", "content": user}]
        if system and self.system_as == "system":
            turns.insert(0, {"role": "system", "content": self._marked(system)})
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def turn(self, prompt: Prompt, purpose: Purpose) -> Turn:
        """The prompt in the model's own form."""
        from ._asking import PREFILL
        from ._spliced import Turn

        options = () if purpose == "text" else prompt.options
        system, user = self._words(prompt, options)
        if self.system_as == "user" and system:
            user = f"{system}\n{user}"
            system = ""
        if len(prompt.frames):
            user = f"{VIDEO}\n{user}"
        rendered = self.render(system, user)
        if purpose == "letter":
            rendered += PREFILL if rendered[-1:].isspace() else f" {PREFILL}"
        if not len(prompt.frames):
            return Turn("", rendered)
        before, _, after = rendered.partition(VIDEO)
        return Turn(before, after)

    def _words(self, prompt: Prompt, options: tuple[str, ...]) -> tuple[str, str]:
        if not self.own:
            return prompt.system, prompt.text if options == prompt.options else user_turn(prompt.question, options)
        # Where a template has no place for it, the release's own system prompt is left out, as the release does.
        system = SAFETY if self.mistral and self.system_as != "user" else ""
        return system, own_question(prompt.question, options)

    def _marked(self, system: str) -> str:
        return f"<<SYS>>\n{system}\n<</SYS>>" if self.mistral else system


@dataclass(frozen=True, slots=True)
class Watching:
    """The checkpoint's eyes and manners.

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

    def turn(self, prompt: Prompt, purpose: Purpose) -> Turn:
        """The prompt in the model's own form."""
        return self.template.turn(prompt, purpose)

    def see(self, prompt: Prompt) -> torch.Tensor:
        """Features of the prompt's frames: ``(tokens, width)``."""
        from reference_exo2ego.backbone.frames import pixels

        from ._spliced import shown_frames

        seen = pixels(shown_frames(prompt, self.frames), self.sight, self.fit)
        weight = next(self.model.connector.parameters())
        return self.model.see(seen.to(weight)[None])[0]


def own_question(question: str, options: tuple[str, ...]) -> str:
    """The user's turn of the release's own evaluation (``videollama2/eval/inference_video_mcqa_egoschema.py``)."""
    if not options:
        return question
    return "\n".join(
        [
            "Select the best answer to the following multiple-choice question based on the video.",
            question,
            "Options:",
            *(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)),
            "Answer with the option's letter from the given choices directly and only give the best option. The best "
            "answer is: ",
        ]
    )


def find_template(tokenizer: Any, *, mistral: bool, own: bool) -> Template:
    """Find out how a tokenizer's chat template takes a system prompt.

    Raises:
        ModelError: If a checkpoint that is not on Mistral has no template, or it leaves the question out.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        if mistral:
            return Template(tokenizer, mistral, own, "fixed")
        raise ModelError("the tokenizer has no chat template; expected one in tokenizer_config.json or beside it")
    for place in ("system", "user"):
        template = Template(tokenizer, mistral, own, place)
        try:
            rendered = template.render("look closely", f"{VIDEO}\nwhat is this")
        except TemplateError:
            continue
        if f"{VIDEO}\nwhat is this" in rendered and (place == "user" or "look closely" in rendered):
            return template
    raise ModelError("the tokenizer's chat template leaves the question out, or cannot put one")


def load(  # noqa: PLR0913 - each is an option of the command line
    *,
    checkpoint: str,
    revision: str = "",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
    frames: int | None = None,
    fit: Literal["crop", "pad"] = "crop",
    prompt: Literal["harness", "own"] = "harness",
    language: str = "",
    vision: str = "",
) -> Model:
    """Load a published checkpoint: 7B with 8 or 16 frames, or 2.1.

    Args:
        checkpoint: A folder in the published layout, or a name on the Hugging Face hub.
        revision: Commit, branch or tag on the hub; of a folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU; ``balanced`` spreads the
            language model over all GPUs.
        frames: Number of frames to ask for; ``None`` for as many as the checkpoint was trained with.
        fit: ``crop`` shows the middle square of each frame, as the release does; ``pad`` shows all of it.
        prompt: ``own`` puts the release's own system prompt and question in place of the harness's.
        language: For a ``-Base`` checkpoint, the language model, if it is not where the checkpoint says.
        vision: For a ``-Base`` checkpoint, the vision tower, likewise.

    Raises:
        ModelError: If torch or transformers is missing, or the checkpoint is missing or cannot be used.
    """
    from egobench.torchvision_ops import ensure_torchvision

    try:
        ensure_torchvision()
        return _open(Asked(checkpoint, revision, dtype, device, frames, fit, prompt, language, vision))
    except ImportError as error:
        raise ModelError(
            f"model 'videollama2' needs torch and transformers ({error}); install them: pip install 'egobench[models]'"
        ) from error


def _open(asked: Asked) -> SplicedModel:
    import transformers

    from reference_exo2ego.backbone.architecture import architecture
    from reference_exo2ego.backbone.published import load_published

    from ._asking import PREFILL, make_greedy
    from ._device import torch_device
    from ._spliced import SplicedModel
    from .hf.checkpoint import explained

    library: Any = transformers
    parts, revision = _parts(asked)
    _check_release(parts.folder)
    device = torch_device(asked.device)
    described = architecture(parts.folder, vision=parts.vision)
    words = parts.language or parts.folder
    with explained(f"{words}: no tokenizer that transformers loads; expected tokenizer.json or tokenizer.model"):
        # Told the language model's config, transformers does not look for the published one's model_type in vain.
        tokenizer = library.AutoTokenizer.from_pretrained(words, config=described.language, trust_remote_code=False)
    mistral = described.language.model_type == "mistral"
    template = find_template(tokenizer, mistral=mistral, own=asked.prompt == "own")
    weights = _fingerprint(parts)
    model = load_published(parts, dtype=asked.dtype, device=device)
    make_greedy(model.language, tokenizer)
    settings: dict[str, str | int | float | bool | None] = {
        "fit": asked.fit,
        "prompt": asked.prompt,
        "system_as": template.system_as,
        "chat_template": sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12],
        "prefill": PREFILL,
    }
    info = ModelInfo(
        name=Path(asked.checkpoint).resolve().name,
        revision=revision,
        weights=weights,
        dtype=str(model.language.dtype).removeprefix("torch."),
        frames=FramePolicy(described.frames if asked.frames is None else asked.frames, described.sight.side),
        settings=settings,
    )
    reader = Watching(model, template, described.sight, asked.fit, described.frames)
    return SplicedModel(info, model.language, tokenizer, reader)


def _check_release(folder: Path) -> None:
    """Tell a checkpoint of another form from a broken one.

    Raises:
        ModelError: If it is one.
    """
    from reference_exo2ego.backbone.architecture import LANGUAGES, read_config

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


def _parts(asked: Asked) -> tuple[Parts, str]:
    """Where the weights are, and the revision."""
    from reference_exo2ego.backbone.architecture import read_config
    from reference_exo2ego.backbone.published import PROJECTOR, Parts, is_connector_alone

    from .hf.checkpoint import READ, find_checkpoint

    folder, revision = find_checkpoint(asked.checkpoint, asked.revision, [*READ, PROJECTOR])
    if not is_connector_alone(folder):
        return Parts(folder), revision
    config = read_config(folder)
    read = [*READ, "pytorch_model*.bin"]
    language, _ = find_checkpoint(asked.language or str(config.get("_name_or_path")), "", read, "language")
    tower = str(config.get("mm_vision_tower"))
    inside = folder / tower
    vision, _ = find_checkpoint(asked.vision or (str(inside) if inside.is_dir() else tower), "", read, "vision")
    return Parts(folder, language, vision), revision


def _fingerprint(parts: Parts) -> str:
    from reference_exo2ego.backbone.weights import pickle_fingerprint

    from .hf.checkpoint import weights_fingerprint

    found: dict[Path, str] = {}
    for file in parts.files:
        if file.suffix != ".safetensors":
            found[file] = pickle_fingerprint(file)
        elif file.parent not in found:
            found[file.parent] = weights_fingerprint(file.parent)
    prints = list(found.values())
    return prints[0] if len(prints) == 1 else f"sha256:{sha256(' '.join(prints).encode()).hexdigest()[:16]}"
