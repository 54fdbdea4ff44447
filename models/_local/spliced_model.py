"""Models that put video features between the words of a prompt: the asking and scoring they have in common.

A language model of transformers reads embedded words, then the features of the clip, then embedded words again. What
those words are and where the features come from is the :class:`VideoFrontend`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch

from egobench.errors import PromptError
from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.prompts import LETTERS

from .device import memory_guard
from .generation import answer_in_batches, check_prompt_fits, end_token, finish_reason, reply_length
from .option_scoring import option_scores, split

Purpose = Literal["reply", "letter", "text"]
"""What follows a prompt: a free reply, one option's letter, or one option's text."""


@dataclass(frozen=True, slots=True)
class PromptParts:
    """A prompt in a model's own form.

    Attributes:
        before: Words before the clip's features.
        after: Words after them, with what the answer is made to begin with.
        begun: The part of ``after`` that belongs to the reply.
    """

    before: str
    after: str
    begun: str = ""


class VideoFrontend(Protocol):
    """What a family of models does in its own way."""

    def prompt_parts(self, prompt: Prompt, purpose: Purpose) -> PromptParts:
        """The prompt in the model's own form."""
        ...

    def encode_frames(self, prompt: Prompt) -> torch.Tensor:
        """Features of the prompt's frames, at least one: ``(tokens, width)``."""
        ...


@dataclass(frozen=True, slots=True)
class SplicedModel:
    """A language model that reads video features between words.

    Attributes:
        info: What identifies it.
        language: A causal language model of transformers.
        tokenizer: Its tokenizer.
        frontend: The rest of the model.
    """

    info: ModelInfo
    language: Any
    tokenizer: Any
    frontend: VideoFrontend

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer a batch greedily; prompts of any length go through the model together.

        Raises:
            PromptError: If a prompt is longer than the model reads.
            ModelMemoryError: If memory runs out.
        """
        return answer_in_batches(self.info.name, prompts, lambda _: None, self._generate)

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> list[OptionScores]:
        """Score every option of every prompt, behind one pass over video and prompt.

        Raises:
            ModelError: As :meth:`generate`, or if a log-probability is no number.
        """
        scores: list[OptionScores] = []
        for prompt in prompts:
            with memory_guard(self.info.name):
                scores.append(self._score(prompt, form))
        return scores

    @torch.inference_mode()
    def embed(self, prompt: Prompt, before: Sequence[int], after: Sequence[int]) -> torch.Tensor:
        """The prompt as the language model reads it.

        Args:
            prompt: Whose frames are shown, if it has any.
            before: Tokens before them.
            after: Tokens after them.

        Returns:
            ``(1, tokens, width)``.
        """
        words = self.language.get_input_embeddings()
        parts = [words(torch.tensor([ids], dtype=torch.long, device=self.language.device)) for ids in (before, after)]
        if len(prompt.frames):
            parts.insert(1, self.frontend.encode_frames(prompt)[None].to(parts[0]))
        return torch.cat(parts, dim=1)

    def tokens(self, text: str) -> list[int]:
        """Tokens of one stretch of words, as it stands."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        turns = [self.frontend.prompt_parts(prompt, "reply") for prompt in prompts]
        rows = [
            self.embed(prompt, self.tokens(turn.before), self.tokens(turn.after))[0]
            for prompt, turn in zip(prompts, turns, strict=True)
        ]
        read, longest = [len(row) for row in rows], max(map(len, rows))
        limit = prompts[0].max_new_tokens
        check_prompt_fits(self.info.name, self.language, longest + limit)
        inputs = rows[0].new_zeros((len(rows), longest, rows[0].shape[1]))
        mask = torch.zeros((len(rows), longest), dtype=torch.long, device=inputs.device)
        for number, row in enumerate(rows):
            inputs[number, longest - len(row) :] = row
            mask[number, longest - len(row) :] = 1
        with torch.inference_mode():
            out = self.language.generate(inputs_embeds=inputs, attention_mask=mask, max_new_tokens=limit)
        replies: list[Reply] = []
        for turn, before, ids in zip(turns, read, out.tolist(), strict=True):
            written = reply_length(self.language, ids)
            text = turn.begun + self.tokenizer.decode(ids[:written], skip_special_tokens=True)
            replies.append(
                Reply(
                    text.strip(),
                    finish_reason=finish_reason(self.language, ids),
                    prompt_tokens=before,
                    reply_tokens=written,
                )
            )
        return replies

    def _score(self, prompt: Prompt, form: OptionForm) -> OptionScores:
        turn = self.frontend.prompt_parts(prompt, "letter" if form == "letter" else "text")
        enclosed = form == "enclosed-text"
        gap = "" if form == "letter" or turn.after[-1:].isspace() else " "
        answers = LETTERS[: len(prompt.options)] if form == "letter" else [option.strip() for option in prompt.options]
        alone = self.tokens(turn.after)
        try:
            full = [self.tokens(turn.after + gap + answer) for answer in answers]
            surplus, continuations = split(full, alone, before=int(enclosed))
        except ValueError as error:
            raise PromptError(f"model {self.info.name!r} cannot score {list(answers)}: {error}") from error
        if enclosed:
            end = end_token(self.language, self.tokenizer)
            continuations = [[*tokens, end] for tokens in continuations]
        prefix = self.embed(prompt, self.tokens(turn.before), alone[: len(alone) - surplus])
        check_prompt_fits(self.info.name, self.language, prefix.shape[1] + max(map(len, continuations)))
        return option_scores(self.info.name, self.language, {"inputs_embeds": prefix}, continuations)


def shown_frames(prompt: Prompt, usual: int) -> np.ndarray:
    """Frames to show: a single one, as an image, the usual number of times."""
    return prompt.frames if len(prompt.frames) != 1 else np.repeat(prompt.frames, usual, axis=0)
