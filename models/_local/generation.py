"""Greedy generation with local models: batches of one kind, ends of replies, prompts that are too long."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from egobench.errors import ModelError, PromptError
from egobench.model import Prompt, Reply

from .device import memory_guard

PREFILL = "("
"""Start of an answer whose next letter is scored: options are listed as ``(A) ...``."""


def answer_in_batches(
    name: str,
    prompts: Sequence[Prompt],
    kind: Callable[[Prompt], Hashable],
    answer: Callable[[Sequence[Prompt]], Sequence[Reply]],
) -> list[Reply]:
    """Answer prompts, those of one kind together.

    Args:
        name: The model's, for messages.
        prompts: At least one.
        kind: What prompts must have in common to go through the model together.
        answer: Answers prompts of one kind, in their order.

    Returns:
        One reply per prompt, in order.

    Raises:
        ModelMemoryError: If memory runs out.
    """
    kinds: dict[Hashable, list[int]] = {}
    for number, prompt in enumerate(prompts):
        kinds.setdefault((kind(prompt), prompt.max_new_tokens), []).append(number)
    replies: dict[int, Reply] = {}
    for numbers in kinds.values():
        with memory_guard(name):
            answers = answer([prompts[number] for number in numbers])
        replies |= zip(numbers, answers, strict=True)
    return [replies[number] for number in range(len(prompts))]


def check_prompt_fits(name: str, model: Any, tokens: int) -> None:
    """Refuse a prompt that is too long to be read together with its answer.

    Args:
        name: The model's, for messages.
        model: A transformers model; one that does not say how much it reads is let through.
        tokens: Of prompt and answer.

    Raises:
        PromptError: If it cannot.
    """
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and tokens > most:
        raise PromptError(
            f"model {name!r} reads {most} tokens; prompt and answer need {tokens}; fewer frames need fewer: -o frames=N"
        )


def configure_generation(model: Any, tokenizer: Any) -> None:
    """Make generation plainly greedy, whatever sampling or penalties a checkpoint comes with.

    Raises:
        ModelError: If nothing says how a reply ends.
    """
    import transformers

    eos = model.generation_config.eos_token_id
    ends = {*(eos if isinstance(eos, list) else [eos]), tokenizer.eos_token_id} - {None}
    if not ends:
        raise ModelError("neither tokenizer nor model says which token ends a reply")
    pad = tokenizer.pad_token_id
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=sorted(ends), pad_token_id=min(ends) if pad is None else pad, do_sample=False
    )


def end_token(model: Any, tokenizer: Any) -> int:
    """The token that ends a reply: the tokenizer's, else the first that the model ends with."""
    token = tokenizer.eos_token_id
    return int(min(model.generation_config.eos_token_id) if token is None else token)


def reply_length(model: Any, tokens: Sequence[int]) -> int:
    """Number of tokens of a reply, up to and with the one that ends it.

    Args:
        model: A model that :func:`configure_generation` configured.
        tokens: What it generated; behind the end there may be padding.
    """
    ends = set(model.generation_config.eos_token_id)
    return next((place + 1 for place, token in enumerate(tokens) if token in ends), len(tokens))


def finish_reason(model: Any, tokens: Sequence[int]) -> str:
    """``"stop"`` for a reply that the model ended, ``"length"`` for one that was cut off; see :func:`reply_length`."""
    return "length" if set(model.generation_config.eos_token_id).isdisjoint(tokens) else "stop"
