"""What VideoLLaMA2 is asked: the harness's prompt, or that of the release's own evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from egobench.model import Prompt
from egobench.prompts import LETTERS, user_turn
from reference_exo2ego.backbone.chat import Chat

from .._local.generation import PREFILL
from .._local.spliced_model import PromptParts, Purpose

SAFETY = (
    "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe.  "
    "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. "
    "Please ensure that your responses are socially unbiased and positive in nature.\n"
    "If a question does not make any sense, or is not factually coherent, explain why instead of answering something "
    "not correct. If you don't know the answer to a question, please don't share false information."
)
"""The system prompt that the releases on Mistral were trained with: Llama 2's."""


REQUEST = "Answer with the option's letter from the given choices directly and only give the best option."
"""What the release's own evaluations ask for."""

MVBENCH = frozenset({"vln-qa"})
"""Tasks that are parts of MVBench (its egocentric navigation)."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a checkpoint's language model is asked.

    Attributes:
        chat: How it is addressed.
        own: Whether the release's own prompt is put, else the harness's.
    """

    chat: Chat
    own: bool

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
        options = () if purpose == "text" else prompt.options
        system, user = self._words(prompt, options)
        before, after = self.chat.around_video(system, user, video=len(prompt.frames) > 0)
        if purpose == "letter":
            after += PREFILL if after[-1:].isspace() else f" {PREFILL}"
        return PromptParts(before, after)

    def _words(self, prompt: Prompt, options: tuple[str, ...]) -> tuple[str, str]:
        if not self.own:
            return prompt.system, prompt.text if options == prompt.options else user_turn(prompt.question, options)
        # Where a template has no place for it, the release's own system prompt is left out, as the release does.
        system = SAFETY if self.chat.mistral and self.chat.system_as != "user" else ""
        return system, own_question(prompt, options)


def own_question(prompt: Prompt, options: tuple[str, ...]) -> str:
    """The user's turn of the release's own evaluation of a task.

    VLN-QA is a part of MVBench and gets the words of ``videollama2/eval/inference_video_mcqa_mvbench.py``; every other
    task those of ``videollama2/eval/inference_video_mcqa_egoschema.py``.

    Args:
        prompt: The prompt.
        options: Its options, or none where an answer in words is scored.
    """
    if not options:
        return prompt.question
    listed = [f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    if prompt.task in MVBENCH:
        return "\n".join([f"Question: {prompt.question}", "Options:", *listed, REQUEST])
    first = "Select the best answer to the following multiple-choice question based on the video."
    return "\n".join([first, prompt.question, "Options:", *listed, f"{REQUEST} The best answer is: "])


def own_words() -> str:
    """Hash of the release's own words, so that other ones make another run."""
    prompts = [
        Prompt(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0), "", "Q", ("a", "b"), "", 1, 0, task)
        for task in ("", *sorted(MVBENCH))
    ]
    words = [SAFETY, *(own_question(prompt, prompt.options) for prompt in prompts)]
    return sha256("\0".join(words).encode()).hexdigest()[:12]
