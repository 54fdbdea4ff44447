"""The adapter: prompts in batches through a checkpoint's processor and template, options behind one cached prompt."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import torch

from egobench.errors import ModelError
from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS, user_turn

from .chat import Chat, open_chat
from .checkpoint import find_checkpoint, weights_fingerprint
from .rope import fix_text_positions
from .scoring import continuation_logprobs, split

PREFILL = "("
"""How an answer begins whose next letter is scored: options are listed as ``(A) ...``."""


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


@dataclass(frozen=True, slots=True)
class TransformersModel:
    """A checkpoint ready to be asked.

    Attributes:
        info: What identifies it.
        model: The transformers model.
        chat: Its processor.
    """

    info: ModelInfo
    model: Any
    chat: Chat

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer a batch greedily; prompts whose clips have one shape go through the model together.

        Raises:
            ModelError: If the processor refuses a prompt or drops frames, or memory runs out.
        """
        alike: dict[tuple[object, ...], list[int]] = {}
        for number, prompt in enumerate(prompts):
            alike.setdefault((*prompt.frames.shape, prompt.max_new_tokens), []).append(number)
        replies: dict[int, Reply] = {}
        for numbers in alike.values():
            with _out_of_memory(self.info.name):
                answers = self._generate([prompts[number] for number in numbers])
            replies |= zip(numbers, answers, strict=True)
        return [replies[number] for number in range(len(prompts))]

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Score every option of every prompt.

        ``letter``: the user's turn as it is generated from, the answer begun with :data:`PREFILL`. ``text``: the
        question alone, without lettered options, answered with each option's text.

        Raises:
            ModelError: As :meth:`generate`, or if a log-probability is no number.
        """
        scores: list[OptionScores] = []
        for prompt in prompts:
            with _out_of_memory(self.info.name):
                scores.append(self._score(prompt, form))
        return scores

    def _generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        rendered = [self.chat.render(prompt, prompt.text) for prompt in prompts]
        inputs = self._inputs(prompts, rendered)
        with torch.inference_mode():
            out = self.model.generate(**inputs, max_new_tokens=prompts[0].max_new_tokens)
        read = inputs["attention_mask"].sum(dim=1).tolist()
        written: list[list[int]] = out[:, inputs["input_ids"].shape[1] :].tolist()
        texts = self.chat.processor.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [
            Reply(text.strip(), prompt_tokens=before, reply_tokens=self._length(tokens))
            for text, before, tokens in zip(texts, read, written, strict=True)
        ]

    def _score(self, prompt: Prompt, form: OptionForm) -> OptionScores:
        letters = form == "letter"
        turn = prompt.text if letters else user_turn(prompt.question, ())
        rendered = self.chat.render(prompt, turn) + PREFILL * letters
        answers = list(LETTERS[: len(prompt.options)]) if letters else [option.strip() for option in prompt.options]
        inputs = self._inputs([prompt], [rendered])
        alone, *full = self.chat.processor.tokenizer(
            [rendered, *(rendered + each for each in answers)], add_special_tokens=False
        )["input_ids"]
        try:
            surplus, continuations = split(full, alone)
        except ValueError as error:
            raise ModelError(f"model {self.info.name!r} cannot score {answers}: {error}") from error
        ids = inputs["input_ids"]
        checked = min(len(alone), surplus + 8)
        if ids[0, -checked:].tolist() != list(alone[-checked:]):
            raise ModelError(f"model {self.info.name!r}: its processor ends a prompt otherwise than its tokenizer")
        if surplus:
            inputs = {
                key: value[:, :-surplus] if torch.is_tensor(value) and value.shape == ids.shape else value
                for key, value in inputs.items()
            }
        sums = continuation_logprobs(self.model, inputs, continuations)
        if not all(map(math.isfinite, sums)):
            raise ModelError(f"model {self.info.name!r} gave log-probabilities {sums}; try -o dtype=float32")
        return OptionScores(tuple(sums), tuple(map(len, continuations)))

    def _inputs(self, prompts: Sequence[Prompt], rendered: Sequence[str]) -> dict[str, Any]:
        encoded = self.chat.encode(prompts, rendered)
        return dict(encoded.to(device=self.model.device, dtype=self.model.dtype))

    def _length(self, tokens: Sequence[int]) -> int:
        """Tokens up to and with the one that ends the reply."""
        ends = set(self.model.generation_config.eos_token_id)
        return min(len(tokens), sum(1 for _ in takewhile(lambda token: token not in ends, tokens)) + 1)


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
    device = _device(asked.device)
    try:
        processor = library.AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        model, found = library.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=asked.dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            device_map=device,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"checkpoint {folder}: transformers cannot load it ({' '.join(str(error).split())})"
        ) from error
    absent = sorted(found["missing_keys"])
    if absent:
        raise ModelError(
            f"checkpoint {folder}: {len(absent)} weights of {type(model).__name__} are missing, first {absent[0]}; "
            f"they would be random; is the checkpoint complete, and of this class?"
        )
    chat = open_chat(processor, name, asked.as_images)
    _settle(model, processor)
    fixed = asked.rope_fix and fix_text_positions(model)
    settings: dict[str, str | int | float | bool | None] = {
        "frames_as": chat.frames,
        "system_as": "system" if chat.system else "user",
        "prefill": PREFILL,
        "rope_fix": fixed,
        **chat.switches,
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


def _settle(model: Any, processor: Any) -> None:
    """Make generation plainly greedy, whatever sampling or penalties the checkpoint comes with, and pad on the left."""
    import transformers

    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    given = model.generation_config.eos_token_id
    ends = {*(given if isinstance(given, list) else [given]), tokenizer.eos_token_id} - {None}
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    video = getattr(processor, "video_processor", None)
    if video is not None and getattr(video, "cap_pixels_per_frame", True) is None:
        # Unset, transformers makes more tokens of long videos than the models' own code does (qwen-vl-utils).
        video.cap_pixels_per_frame = True


def _device(device: str) -> str:
    found = torch.cuda.is_available()
    if device.startswith("cuda") and not found:
        raise ModelError(f"device {device!r}: torch {torch.__version__} finds no CUDA GPU here; give -o device=cpu")
    return ("cuda:0" if found else "cpu") if device == "auto" else device


@contextmanager
def _out_of_memory(name: str) -> Generator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"model {name!r}: out of GPU memory; lower --batch-size or -o frames, or set -o device=balanced"
        ) from error
