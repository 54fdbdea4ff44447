"""Log-probabilities of several continuations of one prompt, whose video is encoded once."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch

BRANCHES = 8
"""Continuations computed at once; each needs a copy of the prompt's cache."""


def split(full: Sequence[Sequence[int]], prompt: Sequence[int]) -> tuple[int, list[list[int]]]:
    """Part texts, tokenised as a whole, into what they share with the prompt and what each adds.

    A tokenizer may join the prompt's last characters with the first of a continuation (``"("`` and ``"A"`` to
    ``"(A"``), so the shared part can end before the prompt does.

    Args:
        full: Tokens of the prompt with each continuation.
        prompt: Tokens of the prompt alone.

    Returns:
        How many of the prompt's last tokens belong to the continuations, and each continuation's tokens.

    Raises:
        ValueError: If a continuation has no token of its own.
    """
    shared = len(prompt)
    for tokens in full:
        pairs = zip(tokens, prompt, strict=False)
        shared = min(shared, next((place for place, (one, other) in enumerate(pairs) if one != other), len(tokens)))
    rests = [list(tokens[shared:]) for tokens in full]
    if not all(rests):
        raise ValueError("a continuation is empty")
    return len(prompt) - shared, rests


@torch.inference_mode()
def continuation_logprobs(model: Any, inputs: dict[str, Any], continuations: Sequence[Sequence[int]]) -> list[float]:
    """Log-probability of each continuation after one prompt.

    Args:
        model: A transformers model that generates.
        inputs: What the model takes, for one prompt.
        continuations: Tokens of each, at least one.

    Returns:
        Sums over the tokens, natural logarithm, computed in float32.
    """
    core = getattr(model, "model", model)
    if hasattr(core, "rope_deltas"):
        # Left from the prompt before, it would shift a prompt without a video.
        core.rope_deltas = None
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    out = model(**inputs, use_cache=True, **last)
    first = torch.log_softmax(out.logits[0, -1].float(), -1)
    sums = [float(first[tokens[0]]) for tokens in continuations]
    longer = [number for number, tokens in enumerate(continuations) if len(tokens) > 1]
    for start in range(0, len(longer), BRANCHES):
        part = longer[start : start + BRANCHES]
        rests = _after_first(model, out.past_key_values, [continuations[number] for number in part])
        for number, rest in zip(part, rests, strict=True):
            sums[number] += rest
    return sums


def _after_first(model: Any, cache: Any, continuations: Sequence[Sequence[int]]) -> list[float]:
    """Log-probabilities of all tokens but the first, each continuation a row behind a copy of the cache."""
    count, longest = len(continuations), max(map(len, continuations))
    ids = torch.zeros((count, longest - 1), dtype=torch.long, device=model.device)
    for row, tokens in enumerate(continuations):
        ids[row, : len(tokens) - 1] = torch.tensor(tokens[:-1])
    branches = copy.deepcopy(cache)
    branches.reorder_cache(torch.zeros(count, dtype=torch.long, device=model.device))
    # Rows are filled up on the right, where a causal model does not look, so that no mask is needed.
    logprobs = torch.log_softmax(model(input_ids=ids, past_key_values=branches, use_cache=True).logits.float(), -1)
    return [
        sum(float(logprobs[row, place, token]) for place, token in enumerate(tokens[1:]))
        for row, tokens in enumerate(continuations)
    ]
