"""How a checkpoint wants to be asked: its chat template, its place for frames, and its processor's habits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from jinja2 import TemplateError

from egobench.errors import ModelError, PromptError
from egobench.model import Prompt

Frames = Literal["video", "images"]
PARTS: dict[Frames, str] = {"video": "video_processor", "images": "image_processor"}
"""The part of a processor that each way of showing frames needs; the first that there is a place for is taken."""

TICKS = 1000
"""Frame numbers per second in the metadata of a video: fine enough for any frame's time."""

_PROBES = ("system: look closely", "user: what is this")


_OPENED = re.compile(r"(?P<left>[<◁])(?P<name>think|thinking|thought)(?P<right>[>▷])(?P<blank>\s*)\Z")
"""Thoughts that a prompt ends in: ``<think>``, or ``◁think▷`` of Kimi-VL."""

_CLOSED = re.compile(r"[<◁]/(?:think|thinking|thought)[>▷]")
_SIGN = re.compile(r"[<◁]/?(?:think|thinking|thought)[>▷]")


@dataclass(frozen=True, slots=True)
class Chat:
    """The processor of a checkpoint, and what was found out about it.

    Attributes:
        name: The checkpoint's, for messages.
        processor: A transformers processor.
        frames: Whether a clip is shown as one video or as single images.
        system: Whether the template has a system role, else the system prompt opens the user's turn.
        switch: Whether the template has a switch for thinking.
        thinking: Most tokens of thoughts before a reply.
    """

    name: str
    processor: Any
    frames: Frames
    system: bool
    switch: bool
    thinking: int

    def render(self, prompt: Prompt, text: str, *, thinking: bool = False) -> str:
        """The prompt as a text, up to where the answer begins; each video or image is one placeholder.

        Args:
            prompt: The prompt.
            text: The user's turn.
            thinking: Whether the model may think first. Else the template is told so; thoughts that it opens
                nevertheless are closed at once, as templates with a switch do.

        Raises:
            PromptError: If the words hold what stands for frames.
        """
        for sign in self._signs():
            if sign in f"{prompt.system}{text}":
                raise PromptError(
                    f"model {self.name!r}: the words hold {sign!r}, which stands for frames in its prompts"
                )
        n_media = 0 if not len(prompt.frames) else 1 if self.frames == "video" else len(prompt.frames)
        rendered = _render(self, (prompt.system, text), [self.frames.removesuffix("s")] * n_media, thinking=thinking)
        opened = None if thinking else _OPENED.search(rendered)
        if opened is None:
            return rendered
        # As Qwen's and GLM's templates write it with their switch off: a blank line inside and after, or no blank.
        return f"{rendered}{opened['blank']}{opened['left']}/{opened['name']}{opened['right']}{opened['blank'] * 2}"

    def begin(self, rendered: str, answer: str) -> str:
        """A rendered prompt with its answer begun, parted as a model would part them.

        After a word, as in ``ASSISTANT:``, an answer follows behind a blank; after closed thoughts on a new line; after
        a line's end or a token of the template's own as it is.
        """
        if not answer or rendered[-1:].isspace():
            return rendered + answer
        if _CLOSED.fullmatch(rendered, rendered.rfind("/") - 1):
            return f"{rendered}\n{answer}"
        marked = rendered.endswith(tuple(self.processor.tokenizer.get_added_vocab()))
        return rendered + answer if marked else f"{rendered} {answer}"

    def decode_reply(self, tokens: Sequence[int]) -> str:
        """A reply in words, without special tokens, except for signs of thoughts: they tell thoughts from an answer."""
        words = self.processor.tokenizer
        specials = {number: token.content for number, token in words.added_tokens_decoder.items() if token.special}
        signs = {number for number, token in specials.items() if _SIGN.fullmatch(token)}
        if signs.isdisjoint(tokens):
            return str(words.decode(tokens, skip_special_tokens=True))
        return str(words.decode([token for token in tokens if token in signs or token not in specials]))

    def encode(self, prompts: Sequence[Prompt], rendered: Sequence[str]) -> Any:
        """What the model takes, padded on the left.

        Args:
            prompts: At least one, with frames of one shape.
            rendered: The text of each.

        Returns:
            A transformers ``BatchFeature``; ``input_ids`` is ``(n_prompts, tokens)``.

        Raises:
            ModelError: If the processor refuses the prompts, or does not use each of their frames once.
        """
        start = self.processor.tokenizer.bos_token
        options: dict[str, Any] = {"return_tensors": "pt", "padding": True}
        if start is not None and rendered[0].startswith(start):
            options["add_special_tokens"] = False
        prompts_to_show = [self._filled(prompt) for prompt in prompts]
        # Processors hand the arrays to torch, which wants them writable and contiguous.
        clips = [np.require(prompt.frames, np.uint8, ["C", "W"]) for prompt in prompts_to_show]
        if len(clips[0]) and self.frames == "video":
            metadata = [video_metadata(prompt.times) for prompt in prompts_to_show]
            options |= {"videos": clips, "do_sample_frames": False, "video_metadata": metadata}
        elif len(clips[0]):
            options["images"] = [list(clip) for clip in clips]
        try:
            inputs = self.processor(text=list(rendered), **options)
        except (ValueError, LookupError) as error:
            raise ModelError(f"model {self.name!r}: its processor refuses a prompt ({error})") from error
        if len(clips[0]) and self.frames == "video":
            self._check_frames(inputs, len(clips), len(clips[0]))
        return inputs

    def fingerprint(self) -> dict[str, str]:
        """Hashes of what turns a prompt into tokens and pixels, for the run."""
        parts = [getattr(self.processor, part, None) for part in ("image_processor", "video_processor")]
        pixels = json.dumps([part.to_dict() for part in parts if part is not None], sort_keys=True, default=str)
        # A processor may put another template in the place of the checkpoint's where there is a video (SmolVLM).
        example = _render(self, _PROBES, [self.frames.removesuffix("s")])
        template = f"{self.processor.chat_template}\0{example}"
        return {"chat_template": _short_hash(template), "processor": _short_hash(pixels)}

    def without_thinking(self) -> str:
        """What has it answer at once: the template's ``switch``, thoughts ``closed`` for it, or ``nothing``."""
        if self.switch:
            return "switch"
        return "closed" if thoughts_opened(_render(self, _PROBES, [])) else "nothing"

    def _signs(self) -> list[str]:
        """What stands for a video or an image in a rendered prompt."""
        signs = [getattr(self.processor, f"{part}_token", None) for part in ("video", "image")]
        return [str(sign) for sign in signs if sign]

    def _per_step(self) -> int:
        """Frames that make one step in time."""
        video = getattr(self.processor, "video_processor", None)
        return getattr(video, "temporal_patch_size", None) or 1

    def _filled(self, prompt: Prompt) -> Prompt:
        """A video of at least one step: its last frame is repeated, as by processors that take a shorter one."""
        lacking = self._per_step() - len(prompt.frames)
        if self.frames != "video" or not len(prompt.frames) or lacking <= 0:
            return prompt
        frames = np.concatenate([prompt.frames, prompt.frames[-1:].repeat(lacking, axis=0)])
        return replace(prompt, frames=frames, times=np.append(prompt.times, prompt.times[-1:].repeat(lacking)))

    def _check_frames(self, inputs: Any, clips: int, n_frames: int) -> None:
        per_step = self._per_step()
        used = frames_used(inputs, per_step)
        if used is None:
            raise ModelError(
                f"model {self.name!r}: cannot tell from {', '.join(inputs)} whether its processor used every frame; "
                f"show them as images: -o as_images=yes"
            )
        # A clip that does not fill its last step is filled up by the processor.
        expected = clips * -(-n_frames // per_step) * per_step
        if used != expected and used != clips * n_frames:
            raise ModelError(
                f"model {self.name!r}: its processor was given {clips} x {n_frames} frames and used {used}; it drops "
                f"or samples them; show them as images: -o as_images=yes"
            )


def find_chat_format(processor: Any, name: str, as_images: Literal["auto", "yes", "no"], thinking: int = 0) -> Chat:
    """Find out how a processor wants to be asked.

    Args:
        processor: A transformers processor.
        name: The checkpoint's name, for messages.
        as_images: Whether to show frames as images; ``auto`` where there is no place for a video.
        thinking: Most tokens of thoughts before a reply.

    Raises:
        ModelError: If it has no chat template, or no place for frames, or cannot think as asked.
    """
    if getattr(processor, "tokenizer", None) is None or not getattr(processor, "chat_template", None):
        raise ModelError(
            f"model {name!r}: its processor has no chat template; expected chat_template.jinja in the checkpoint's "
            f"folder (models that were not trained to answer come without one)"
        )
    template = str(processor.chat_template)
    if thinking < 0:
        raise ModelError(f"-o thinking={thinking}: expected a number of tokens, or 0 for an answer at once")
    if thinking and not _CLOSED.search(template):
        raise ModelError(
            f"model {name!r}: its chat template has no </think>, so thoughts could not be told from a reply"
        )
    blind = Chat(name, processor, "video", system=True, switch="enable_thinking" in template, thinking=thinking)
    blind = replace(blind, system=_takes_system(blind, []))
    places: list[Frames] = [
        frames for frames, part in PARTS.items() if getattr(processor, part, None) and _has_place(blind, frames)
    ]
    frames_as: Frames | None = "images" if as_images == "yes" else "video"
    if as_images == "auto":
        frames_as = places[0] if places else None
    if frames_as is None or frames_as not in places:
        raise ModelError(
            f"model {name!r}: no place for {frames_as or 'frames'} in its chat template and processor; "
            f"it takes {' and '.join(places) or 'text only'}"
        )
    chat = replace(blind, frames=frames_as)
    return replace(chat, system=chat.system and _takes_system(chat, [chat.frames.removesuffix("s")]))


def thoughts_opened(rendered: str) -> str:
    """The sign, ``<think>``, of thoughts that a rendered prompt ends in; ``""`` if it does not."""
    opened = _OPENED.search(rendered)
    return opened[0] if opened else ""


def video_metadata(times: np.ndarray) -> dict[str, Any]:
    """What a processor is told of a clip, so that its timestamps and frame rate are the clip's.

    Times count from the first frame shown: the same clip is put the same way whether it was cut out before or is part
    of a longer file.

    Args:
        times: Seconds of each frame, ``(n_frames,)``.
    """
    since = np.asarray(times, dtype=np.float64) - float(np.min(times))
    count = len(since)
    step = float(since.max()) / (count - 1) if count > 1 else 0.0
    total = max(count, round(count * step * TICKS))
    numbers = [int(number) for number in np.rint(since * TICKS)]
    return {"total_num_frames": total, "fps": float(TICKS), "duration": total / TICKS, "frames_indices": numbers}


def frames_used(inputs: Any, per_step: int) -> int | None:
    """How many frames a processor made use of in all, read off the shapes of what it made.

    Args:
        inputs: What the processor made of one or several clips.
        per_step: Frames that make one step in time, where the model counts in steps.

    Returns:
        Their number, whole steps; ``None`` if the shapes do not tell.
    """
    if "video_grid_thw" in inputs:
        return int(inputs["video_grid_thw"][:, 0].sum()) * per_step
    if "num_frames_per_video" in inputs:
        return int(sum(inputs["num_frames_per_video"]))
    pixels = inputs.get("pixel_values_videos", inputs.get("pixel_values"))
    # (clips, frames, channels, height, width), or the frames of all clips in one row.
    if pixels is None or pixels.ndim not in {4, 5}:
        return None
    return int(math.prod(pixels.shape[: pixels.ndim - 3]))


def _render(chat: Chat, texts: tuple[str, str], media: Sequence[str], *, thinking: bool = False) -> str:
    system, user = texts
    if not chat.system:
        user = f"{system}\n{user}"
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": [*({"type": kind} for kind in media), {"type": "text", "text": user}]}
    ]
    if chat.system:
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
    switches = {"enable_thinking": thinking} if chat.switch else {}
    return str(chat.processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **switches))


def _takes_system(chat: Chat, media: Sequence[str]) -> bool:
    problem = "it leaves texts out"
    for system in (True, False):
        try:
            rendered = _render(replace(chat, system=system), _PROBES, media)
        except (TemplateError, TypeError) as error:
            problem = str(error)
            continue
        if "'type':" in rendered:
            problem = "it knows turns of text alone"
        elif all(probe in rendered for probe in _PROBES):
            return system
    raise ModelError(f"model {chat.name!r}: its chat template cannot put a system prompt and a question ({problem})")


def _has_place(chat: Chat, frames: Frames) -> bool:
    try:
        return _render(chat, _PROBES, [frames.removesuffix("s")]) != _render(chat, _PROBES, [])
    except (TemplateError, TypeError):
        return False


def _short_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
