"""Any model of EgoBench as a model of lmms-eval: ``--model egobench --model_args model=hf,checkpoint=...``.

Asked one of our own tasks, it answers the very prompt that ``egobench run`` asks, frames and times included. Asked any
other task of lmms-eval, it is shown what that task gives: the frames of its video by our rule, or its images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from egobench.errors import ModelMemoryError, PromptError, UnreadableVideoError, VideoError
from egobench.interop.lmms_documents import KEY, decode_clip, prompt_of, remember_clip
from egobench.model import Prompt
from egobench.plugins import load_model, model_function
from egobench.torchvision_ops import ensure_torchvision
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, read_clips

FAILED = "[LMMS_EVAL_REQUEST_FAILED] "
"""Prefix of a text that stands for a missing answer, as lmms-eval's own models write it."""

PREFIX = "option_"
"""Prefix of options of the model, which may be left out but for options named as an argument of :class:`_Model`."""


class _Model:
    """A model of EgoBench in lmms-eval, without lmms-eval's base class, which :data:`EgoBench` adds.

    Args:
        model: Name of the model, see ``egobench models``.
        system: System prompt for tasks that are not ours.
        device: lmms-eval's device, for models that take one.
        batch_size: Prompts per call of the model.
        max_batch_size: Ignored; lmms-eval gives it to every model.
        options: Options of the model, as after ``-o``.

    Raises:
        EgoBenchError: If the model cannot be loaded.
        ValueError: If no model is named, or the batch size is no number.
    """

    is_simple = True
    task_dict: Mapping[str, Mapping[str, Sequence[Any]]]

    def __init__(
        self,
        model: str = "",
        system: str = "You are a helpful assistant.",
        device: str | None = None,
        batch_size: int | str | None = 1,
        max_batch_size: int | None = None,  # noqa: ARG002
        **options: Any,
    ) -> None:
        super().__init__()
        if not model:
            raise ValueError("which model? give --model_args model=NAME,option=value; see egobench models")
        model_options = {key.removeprefix(PREFIX): str(value) for key, value in options.items() if value is not None}
        device_name = _device(device)
        if "device" in signature(model_function(model.partition(":")[0])).parameters:
            model_options.setdefault("device", device_name)
        self._model = load_model(model, **model_options)
        self._system = system
        if not str(batch_size or 1).isdigit():
            raise ValueError(f"batch_size {batch_size!r}; expected a number of prompts a call")
        self._batch = int(batch_size or 1)
        # lmms-eval gathers over this device where there are several ranks.
        self.device = import_module("torch").device(device_name)

    @property
    def batch_size(self) -> int:
        """Prompts per call of the model."""
        return self._batch

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Answer greedily; a text that begins with :data:`FAILED` stands for a prompt that has no answer."""
        answers: list[str] = []
        remaining = iter(requests)
        while batch := list(islice(remaining, self._batch)):
            answers += self._answer(batch)
        return answers

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Refuse: lmms-eval 0.7 turns the pair it gets into a text, and takes losses for log-probabilities.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("egobench scores options by itself: egobench run MODEL --method likelihood-letter")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refuse: our models answer one turn.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("models of EgoBench answer one turn; take a task of one")

    def _answer(self, requests: Sequence[Any]) -> list[str]:
        prompts: dict[int, Prompt] = {}
        texts: dict[int, str] = {}
        ends: list[list[str]] = []
        for place, request in enumerate(requests):
            context, generation, visual, number, task, split = request.args
            ends.append(_ends(generation))
            try:
                prompts[place] = self._prompt(context, generation, visual, self.task_dict[task][split][number])
            except VideoError as error:
                texts[place] = f"{FAILED}{error}"
        texts |= zip(prompts, self._ask(list(prompts.values())), strict=True)
        return [_cut(texts[place], ends[place]) for place in range(len(requests))]

    def _ask(self, prompts: Sequence[Prompt]) -> Iterator[str]:
        """Ask a batch, and one by one where it does not fit or a prompt of it cannot be taken."""
        if not prompts:
            return
        try:
            replies = self._model.generate(prompts)
        except (PromptError, ModelMemoryError) as error:
            if len(prompts) == 1:
                yield f"{FAILED}{error}"
                return
            for prompt in prompts:
                yield from self._ask([prompt])
            return
        for reply in replies:
            yield reply.text if reply.error is None else f"{FAILED}{reply.error}"

    def _prompt(self, context: str, generation: dict[str, Any], visual: Any, document: Any) -> Prompt:
        if KEY in document:
            clip = decode_clip(document, self._model.info.frames)
            remember_clip(document, clip)
            if isinstance(clip, FailedClip):
                raise clip.error
            return prompt_of(document, clip)
        frames, times = self._frames(visual(document) or [])
        return Prompt(
            frames=frames,
            times=times,
            system=self._system,
            question=context,
            options=(),
            text=context,
            max_new_tokens=int(generation.get("max_new_tokens") or 128),
            seed=0,
        )

    def _frames(self, visuals: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return frames of one video, or of images in one size, and their times in seconds."""
        policy = self._model.info.frames
        paths = [visual for visual in visuals if isinstance(visual, str | Path)]
        if not visuals or policy.count == 0:
            return np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0)
        if paths and len(visuals) == 1:
            rule = FrameRule()
            rule = replace(rule, count=policy.count or rule.count, short_side=policy.short_side or rule.short_side)
            request = ClipRequest("video", Path(paths[0]), 0.0, None, rule)
            clip = next(iter(read_clips(request.path, [request])))
            if not isinstance(clip, DecodedClip):
                raise clip.error
            return clip.frames, clip.times
        if paths or not all(hasattr(visual, "convert") for visual in visuals):
            raise UnreadableVideoError(f"{len(visuals)} media of mixed kinds; expected one video, or images")
        images = [visual.convert("RGB") for visual in visuals]
        frames = np.stack([np.asarray(image.resize(images[0].size)) for image in images])
        return frames, np.arange(len(images), dtype=float)


@cache
def _model_class() -> type:
    ensure_torchvision()
    base: type = import_module("lmms_eval.api.model").lmms
    return type("EgoBench", (_Model, base), {"__doc__": "A model of EgoBench in lmms-eval.", "__module__": __name__})


def __getattr__(name: str) -> Any:
    """Make the class when lmms-eval asks for it: only then is lmms-eval imported."""
    if name == "EgoBench":
        return _model_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def manifests() -> Any:
    """Return the manifest behind the entry point ``egobench`` of the group ``lmms_eval.models``."""
    registry: Any = import_module("lmms_eval.models.registry_v2")
    return registry.ModelManifest(model_id="egobench", simple_class_path=f"{__name__}.EgoBench")


def _device(device: str | None) -> str:
    """Return the requested device; of GPUs, this rank's own."""
    if device in {None, "cuda"} and import_module("torch").cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device or "cpu"


def _ends(generation: dict[str, Any]) -> list[str]:
    until: str | list[str] = generation.get("until") or []
    return [until] if isinstance(until, str) else list(until)


def _cut(text: str, ends: Sequence[str]) -> str:
    """Cut a reply at the first of the texts that end it; a failure is kept whole."""
    if text.startswith(FAILED):
        return text
    return text[: min((text.find(end) for end in ends if end and end in text), default=len(text))]
