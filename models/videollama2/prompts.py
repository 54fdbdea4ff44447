"""How VideoLLaMA2 is addressed: by its tokenizer's chat template, or by the fixed prompt of its first release."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from jinja2 import TemplateError

from egobench.errors import ModelError
from egobench.model import Prompt
from egobench.prompts import LETTERS, user_turn

from .._local.generation import PREFILL
from .._local.spliced_model import PromptParts, Purpose

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


REQUEST = "Answer with the option's letter from the given choices directly and only give the best option."
"""What the release's own evaluations ask for."""

MVBENCH = frozenset({"vln-qa"})
"""Tasks that are parts of MVBench (its egocentric navigation)."""


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

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
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
            return PromptParts("", rendered)
        before, _, after = rendered.partition(VIDEO)
        return PromptParts(before, after)

    def _words(self, prompt: Prompt, options: tuple[str, ...]) -> tuple[str, str]:
        if not self.own:
            return prompt.system, prompt.text if options == prompt.options else user_turn(prompt.question, options)
        # Where a template has no place for it, the release's own system prompt is left out, as the release does.
        system = SAFETY if self.mistral and self.system_as != "user" else ""
        return system, own_question(prompt, options)

    def _marked(self, system: str) -> str:
        return f"<<SYS>>\n{system}\n<</SYS>>" if self.mistral else system


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


def find_template(tokenizer: Any, *, mistral: bool, own: bool) -> Template:
    """Find out how a tokenizer's chat template takes a system prompt.

    Raises:
        ModelError: If a checkpoint that is not on Mistral has no template, or it leaves the question out.
    """
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
