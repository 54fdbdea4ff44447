"""Dual encoders of transformers, clips and texts in one space: CLIP, SigLIP, SigLIP 2, X-CLIP.

A clip of an image model is the mean of its frames' embeddings, each of length 1; a clip of X-CLIP is what its own
temporal encoder makes of exactly as many frames as it was trained with.

In multiple choice a text stands for each option, and options are ranked by cosine. X-CLIP's ``forward`` changes the
embedding of a text by the video it is compared with, and so it is done with options. A text of a gallery is embedded
once for all clips, as ``get_text_features`` gives it, without that.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from egobench.errors import ModelError, ModelOptionError, install_command
from egobench.model import FramePolicy, Model, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS
from egobench.retrieval.embeddings import cosines

if TYPE_CHECKING:
    import torch

TEXTS = 256
"""Texts that go through the model together."""


@dataclass(frozen=True, slots=True)
class DualEncoder:
    """A checkpoint ready to embed.

    Attributes:
        info: What identifies it.
        model: A transformers model with ``get_text_features``.
        processor: Its processor.
        context: Tokens of a text that it reads.
        clip_frames: Frames that its temporal encoder takes; ``None`` for an image model, whose frames are averaged.
        template: What a text is put into, at ``{}``.
        with_question: Whether the question stands before each option.
        lower: Whether texts are put into lower case before the tokenizer sees them.
    """

    info: ModelInfo
    model: Any
    processor: Any
    context: int
    clip_frames: int | None
    template: str
    with_question: bool
    lower: bool

    def encode_clips(self, prompts: Sequence[Prompt]) -> np.ndarray:
        """Embed the frames of each prompt: ``(n_prompts, dim)`` float32, rows of length 1.

        Clips go through the model one by one, all frames of one together: so the last digits of an embedding are the
        same whatever it was batched with.

        Raises:
            ModelError: If a prompt has no frames, or another number than the model takes.
            ModelMemoryError: If memory runs out.
        """
        return np.stack([self._clip(prompt.frames) for prompt in prompts])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts, put into the template: ``(n_texts, dim)`` float32, rows of length 1.

        Warns where a text is longer than the model reads, and is cut.

        Raises:
            ModelMemoryError: If memory runs out.
        """
        import torch

        from ._local.device import memory_guard

        embeddings: list[np.ndarray] = []
        for start in range(0, len(texts), TEXTS):
            with memory_guard(self.info.name), torch.inference_mode():
                tokens = self._tokens(texts[start : start + TEXTS])
                embeddings.append(_unit(self.model.get_text_features(**tokens)).cpu().numpy())
        return np.concatenate(embeddings)

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:  # noqa: ARG002
        """Log-softmax over the options of their cosines, scaled as the model does.

        It has neither letters nor tokens, so every form scores the option's text, as one token: all likelihood methods
        rank by cosine. What SigLIP adds to all cosines alike makes no difference here.

        Raises:
            ModelError: If a prompt has no frames, or another number than the model takes.
            ModelMemoryError: If memory runs out.
        """
        return [self._scores(prompt) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer with the letter of the nearest option, with all of them if several are equally near.

        To an open question it has no words: the reply is empty.
        """
        return [self._reply(prompt) for prompt in prompts]

    def _clip(self, frames: np.ndarray) -> np.ndarray:
        import torch

        from ._local.device import memory_guard

        embed = self.model.get_image_features if self.clip_frames is None else self.model.get_video_features
        with memory_guard(self.info.name), torch.inference_mode():
            return _unit(_unit(embed(**self._pixels(frames))).mean(dim=0)).cpu().numpy()

    def _cosines(self, frames: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Of texts with a clip: ``(n_texts,)``."""
        import torch

        from ._local.device import memory_guard

        if self.clip_frames is None:
            return cosines(self.encode_texts(texts), self._clip(frames))
        with memory_guard(self.info.name), torch.inference_mode():
            outputs = self.model(**self._tokens(texts), **self._pixels(frames))
            return cosines(_unit(outputs.text_embeds)[0].cpu().numpy(), _unit(outputs.video_embeds)[0].cpu().numpy())

    def _pixels(self, frames: np.ndarray) -> Any:
        """What the vision tower takes: the frames of a clip as a batch of images, or as one video."""
        if not len(frames):
            raise ModelError(
                f"model {self.info.name!r} compares frames with texts, and there are none: it has neither a blind "
                "control nor a text prior"
            )
        if self.clip_frames is not None and len(frames) != self.clip_frames:
            raise ModelError(
                f"model {self.info.name!r} takes clips of exactly {self.clip_frames} frames, found {len(frames)}; "
                "leave --frames out"
            )
        # Processors hand the arrays to torch, which wants them writable and contiguous.
        images = list(np.require(frames, np.uint8, ["C", "W"]))
        batch = images if self.clip_frames is None else [images]
        inputs = self.processor.image_processor(images=batch, return_tensors="pt")
        return inputs.to(device=self.model.device, dtype=self.model.dtype)

    def _tokens(self, texts: Sequence[str]) -> Any:
        """What the text tower takes, filled up to the full length: SigLIP was trained so, and CLIP does not mind."""
        put = [self.template.replace("{}", text.strip()) for text in texts]
        put = [text.lower() for text in put] if self.lower else put
        lengths = [len(tokens) for tokens in self.processor.tokenizer(put, verbose=False)["input_ids"]]
        if max(lengths) > self.context:
            # The same words and place each time, so that a run says it once.
            warnings.warn(
                f"model {self.info.name!r}: texts longer than {self.context} tokens are cut there", stacklevel=1
            )
        inputs = self.processor(
            text=put, padding="max_length", truncation=True, max_length=self.context, return_tensors="pt"
        )
        return inputs.to(self.model.device)

    def _scores(self, prompt: Prompt) -> OptionScores:
        from scipy.special import log_softmax

        before = f"{prompt.question.strip()} " if self.with_question else ""
        # Each text once: in one batch equal ones may be rounded otherwise, and they are to tie.
        distinct = list(dict.fromkeys(prompt.options))
        near = self._cosines(prompt.frames, [before + option.strip() for option in distinct])
        own = near[[distinct.index(option) for option in prompt.options]]
        logits = own.astype(np.float64) * math.exp(self.model.logit_scale.item())
        return OptionScores(tuple(log_softmax(logits).tolist()), (1,) * len(prompt.options))

    def _reply(self, prompt: Prompt) -> Reply:
        if not prompt.options:
            return Reply("")
        scores = self._scores(prompt).logprobs
        nearest = [letter for letter, score in zip(LETTERS, scores, strict=False) if score == max(scores)]
        return Reply(", ".join(nearest))


def load(  # noqa: PLR0913 - each is an option of the command line
    *,
    checkpoint: str,
    revision: str = "",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "auto",
    frames: int | None = None,
    short_side: int | None = None,
    template: str = "{}",
    with_question: bool = False,
) -> Model:
    """Load a checkpoint.

    Args:
        checkpoint: A folder made by ``save_pretrained``, or a name on the Hugging Face hub (its cache is asked first;
            ``HF_HUB_OFFLINE=1`` asks nothing else).
        revision: Commit, branch or tag on the hub; of a folder, what to call its version.
        dtype: Number format to compute in; ``auto`` is the checkpoint's.
        device: What :class:`torch.device` takes; ``auto`` is the first GPU, else the CPU, and so is ``balanced``.
        frames: Number of frames to ask for; ``None`` leaves it to the task, and to X-CLIP.
        short_side: Pixels of a frame's shorter side; ``None`` leaves it to the task.
        template: What every text is put into, e.g. ``"a video of {}"``.
        with_question: Whether the question stands before each option in multiple choice.

    Raises:
        ModelError: If torch or transformers is missing, or the checkpoint is missing or cannot be used.
        ModelOptionError: If the template has no place for a text, or several.
    """
    from egobench.torchvision_ops import ensure_torchvision

    if template.count("{}") != 1:
        raise ModelOptionError(f"model 'dual-encoder', option 'template': expected one {{}} in it, found {template!r}")
    try:
        ensure_torchvision()

        from ._local.checkpoint import find_checkpoint, safetensors_files
        from ._local.device import torch_device
        from ._local.fingerprint import checkpoint_fingerprint
    except ImportError as error:
        raise ModelError(
            f"model 'dual-encoder' needs torch and transformers ({error}); install them: " + install_command("models")
        ) from error
    folder, commit = find_checkpoint(checkpoint, revision)
    weights = checkpoint_fingerprint([folder], safetensors_files(folder))
    model, processor = _open(folder, dtype, torch_device("auto" if device == "balanced" else device))
    temporal = hasattr(model, "get_video_features")
    clip_frames = int(model.config.vision_config.num_frames) if temporal else None
    if clip_frames is not None and frames not in {None, clip_frames}:
        raise ModelError(f"checkpoint {folder} takes clips of exactly {clip_frames} frames; leave -o frames out")
    context = int(model.config.text_config.max_position_embeddings)
    # SigLIP 2 was trained so (arXiv 2502.14786), and its releases name a tokenizer that does not do it.
    # The tokenizers of SigLIP, CLIP and X-CLIP do it themselves.
    lower = str(model.config.model_type).startswith("siglip")
    info = ModelInfo(
        name=Path(checkpoint).resolve().name,
        revision=commit,
        weights=weights,
        dtype=str(model.dtype).removeprefix("torch."),
        frames=FramePolicy(clip_frames or frames, short_side),
        settings={
            "pooling": "temporal" if temporal else "mean",
            "template": template,
            "with_question": with_question,
            "text_tokens": context,
            "lower_case": lower,
            **_processed(processor.image_processor),
        },
    )
    return DualEncoder(info, model.eval(), processor, context, clip_frames, template, with_question, lower)


def _open(folder: Path, dtype: str, device: str) -> tuple[Any, Any]:
    import transformers

    from ._local.checkpoint import check_loaded, explained
    from ._local.library_output import quiet_loading

    library: Any = transformers
    with explained(f"checkpoint {folder}: transformers cannot load it"), quiet_loading():
        # One backend, so that a machine without it is no machine with other pixels.
        processor = library.AutoProcessor.from_pretrained(folder, trust_remote_code=False, backend="torchvision")
        model, loading_info = library.AutoModel.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are named below
        )
    kind = type(model).__name__
    if not (hasattr(model, "get_text_features") and hasattr(model, "logit_scale")):
        raise ModelError(f"checkpoint {folder}: {kind} is no dual encoder; expected CLIP, SigLIP, SigLIP 2 or X-CLIP")
    check_loaded(folder, kind, loading_info)
    # Without a file transformers makes a tokenizer that is empty, and all words of five letters are alike to it.
    first, second = processor.tokenizer(["plate", "knife"])["input_ids"]
    if first == second:
        raise ModelError(
            f"checkpoint {folder}: its tokenizer knows no words; expected tokenizer.json, or what it is made from"
        )
    return model.to(device), processor


def _processed(image_processor: Any) -> dict[str, str]:
    settings = json.dumps(image_processor.to_dict(), sort_keys=True, default=str)
    return {"pixels": type(image_processor).__name__, "processor": sha256(settings.encode()).hexdigest()[:12]}


def _unit(outputs: Any) -> torch.Tensor:
    """Embeddings, float32, each of length 1."""
    import torch

    # Models of transformers before 5 give the embedding itself.
    values: torch.Tensor = getattr(outputs, "pooler_output", outputs)
    return torch.nn.functional.normalize(values.float(), dim=-1)
