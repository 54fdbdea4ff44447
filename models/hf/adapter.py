"""The adapter: prompts in batches through a checkpoint's processor and template, options behind one cached prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from egobench.errors import ModelError, PromptError
from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS, user_turn

from .._local.device import memory_guard
from .._local.generation import PREFILL, answer_in_batches, check_prompt_fits, end_token, finish_reason, reply_length
from .._local.option_scoring import option_scores, split
from .chat import Chat, thoughts_opened


@dataclass(frozen=True, slots=True)
class TransformersModel:
    """A checkpoint that transformers opened, with its processor.

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
            ModelError: If the processor refuses a prompt or drops frames.
            PromptError: If a prompt is longer than the model reads.
            ModelMemoryError: If memory runs out.
        """
        return answer_in_batches(self.info.name, prompts, lambda prompt: prompt.frames.shape, self._generate)

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Score every option of every prompt.

        ``letter``: the user's turn as it is generated from, the answer begun with :data:`PREFILL`. ``text`` and
        ``enclosed-text``: the question alone, without lettered options, answered with each option's text.

        Raises:
            ModelError: As :meth:`generate`, or if a log-probability is no number.
        """
        scores: list[OptionScores] = []
        for prompt in prompts:
            with memory_guard(self.info.name):
                scores.append(self._score(prompt, form))
        return scores

    def _generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        thinks = self.chat.thinking > 0
        rendered = [self.chat.render(prompt, prompt.text, thinking=thinks) for prompt in prompts]
        inputs = self._inputs(prompts, rendered)
        most = prompts[0].max_new_tokens + self.chat.thinking
        read: list[int] = inputs["attention_mask"].sum(dim=1).tolist()
        check_prompt_fits(self.info.name, self.model, max(read) + most)
        with torch.inference_mode():
            out = self.model.generate(**inputs, max_new_tokens=most)
        written: list[list[int]] = out[:, inputs["input_ids"].shape[1] :].tolist()
        return [
            Reply(
                (thoughts_opened(shown) + self.chat.decode_reply(tokens)).strip(),
                finish_reason=finish_reason(self.model, tokens),
                prompt_tokens=before,
                reply_tokens=reply_length(self.model, tokens),
            )
            for shown, before, tokens in zip(rendered, read, written, strict=True)
        ]

    def _score(self, prompt: Prompt, form: OptionForm) -> OptionScores:
        letters, enclosed = form == "letter", form == "enclosed-text"
        turn = prompt.text if letters else user_turn(prompt.question, ())
        question = self.chat.render(prompt, turn)
        rendered = self.chat.begin(question, PREFILL * letters)
        answers = list(LETTERS[: len(prompt.options)]) if letters else [option.strip() for option in prompt.options]
        inputs = self._inputs([prompt], [rendered])
        alone, *full = self.chat.processor.tokenizer(
            [rendered, *(self.chat.begin(question, PREFILL * letters + each) for each in answers)],
            add_special_tokens=False,
        )["input_ids"]
        try:
            surplus, continuations = split(full, alone, before=int(enclosed))
        except ValueError as error:
            raise PromptError(f"model {self.info.name!r} cannot score {answers}: {error}") from error
        if enclosed:
            end = end_token(self.model, self.chat.processor.tokenizer)
            continuations = [[*tokens, end] for tokens in continuations]
        ids = inputs["input_ids"]
        checked = min(len(alone), surplus + 8)
        if ids[0, -checked:].tolist() != list(alone[-checked:]):
            raise ModelError(f"model {self.info.name!r}: its processor ends a prompt otherwise than its tokenizer")
        check_prompt_fits(self.info.name, self.model, ids.shape[1] - surplus + max(map(len, continuations)))
        if surplus:
            inputs = {
                key: value[:, :-surplus] if torch.is_tensor(value) and value.shape == ids.shape else value
                for key, value in inputs.items()
            }
        return option_scores(self.info.name, self.model, inputs, continuations)

    def _inputs(self, prompts: Sequence[Prompt], rendered: Sequence[str]) -> dict[str, Any]:
        encoded = self.chat.encode(prompts, rendered).to(device=self.model.device)
        exact, rounded = dict(encoded), encoded.to(dtype=self.model.dtype)
        # Pixels alone are rounded: seconds in half precision would put a video's frames at other positions.
        return exact | {key: value for key, value in rounded.items() if key.startswith("pixel_values")}
