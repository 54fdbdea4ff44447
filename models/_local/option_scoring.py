"""Log-probabilities of several continuations of one prompt, whose video and words are read once.

The prompt goes through the model once and leaves its keys and values in a cache. Behind it all continuations stand in
one row, each token of which sees the prompt and what comes before it in its own continuation: as a tree, in which
beginnings that continuations share stand once. A model that cannot be read in that way, because its layers keep less
than the whole prompt or because it does not heed the mask, gets copies of the cache, one per continuation.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from egobench.errors import ModelError
from egobench.model import OptionScores

from .device import is_out_of_memory

PACKED = 512
"""Tokens of one row of continuations; a longer continuation has a row of its own."""

BRANCHES = 8
"""Continuations computed at once where each needs a copy of the cache."""

TRIED = 64
"""Tokens of the row that tells whether a model takes packed continuations."""

MASKED = frozenset({"eager", "sdpa"})
"""Implementations of attention that take a mask of their own for every token."""

_packing_support: WeakKeyDictionary[Any, dict[frozenset[str], bool]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Row:
    """Continuations as one row of tokens behind a prompt.

    Attributes:
        ids: The tokens, those that continuations share once.
        depths: How many tokens of its continuation stand before each.
        sees: Whether a token sees another, itself included: ``(tokens, tokens)``.
        paths: Where the tokens of each continuation stand, the last token left out.
    """

    ids: list[int]
    depths: list[int]
    sees: np.ndarray
    paths: list[list[int]]


def split(full: Sequence[Sequence[int]], prompt: Sequence[int], *, before: int = 0) -> tuple[int, list[list[int]]]:
    """Part texts, tokenised as a whole, into what they share with the prompt and what each adds.

    A tokenizer may join the prompt's last characters with the first of a continuation (``"("`` and ``"A"`` to
    ``"(A"``), so the shared part can end before the prompt does.

    Args:
        full: Tokens of the prompt with each continuation.
        prompt: Tokens of the prompt alone.
        before: Shared tokens that are scored with each continuation, from the end of what is shared.

    Returns:
        How many of the prompt's last tokens belong to the continuations, and each continuation's tokens.

    Raises:
        ValueError: If a continuation has no token of its own.
    """
    alike = [_alike(tokens, prompt) for tokens in full]
    if any(count == len(tokens) for count, tokens in zip(alike, full, strict=True)):
        raise ValueError("a continuation is empty")
    shared = max(0, min(alike, default=len(prompt)) - before)
    return len(prompt) - shared, [list(tokens[shared:]) for tokens in full]


def option_scores(
    name: str, model: Any, inputs: dict[str, Any], continuations: Sequence[Sequence[int]]
) -> OptionScores:
    """Scores of options as a run keeps them.

    Args:
        name: The model's, for messages.
        model: A transformers model that generates.
        inputs: What the model takes, for one prompt.
        continuations: Tokens of each option, at least one.

    Raises:
        ModelError: If a log-probability is no number.
    """
    sums = continuation_logprobs(model, inputs, continuations)
    if not all(map(math.isfinite, sums)):
        raise ModelError(f"model {name!r} gave log-probabilities {sums}; try -o dtype=float32")
    read = inputs["input_ids"] if "input_ids" in inputs else inputs["inputs_embeds"]
    return OptionScores(tuple(sums), tuple(map(len, continuations)), prompt_tokens=int(read.shape[1]))


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
    counter = _counter(model)
    if counter is not None:
        # Left from the prompt before, it would shift a prompt without a video.
        counter.rope_deltas = None
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    out = model(**inputs, use_cache=True, **last)
    cache = out.past_key_values
    first = torch.log_softmax(out.logits[0, -1].float(), -1)
    del out
    heads = first[[tokens[0] for tokens in continuations]].tolist()
    # Sorted, so that those that begin alike come into one row; each that is there twice is computed once.
    longer = sorted({tuple(tokens) for tokens in continuations if len(tokens) > 1})
    rests: dict[tuple[int, ...], float] = {}
    if longer:
        ways = (
            _score_packed if supports_packed_options(model, frozenset(inputs), cache, longer[0]) else _score_on_copies
        )
        for part, logprobs in ways(model, cache, longer):
            rests |= zip(part, logprobs, strict=True)
    return [head + rests.get(tuple(tokens), 0.0) for head, tokens in zip(heads, continuations, strict=True)]


def supports_packed_options(model: Any, kind: frozenset[str], cache: Any, continuation: Sequence[int]) -> bool:
    """Whether a model reads continuations in one row as it reads them alone; found out once a kind of prompt.

    Every layer has to keep the whole prompt, attention has to take a mask, and the last of several copies of a
    continuation in one row has to give what the continuation gives alone.

    Args:
        model: A transformers model that generates.
        kind: Names of what it took for the prompt: a model may count text after a video otherwise than without one.
        cache: What it keeps of a prompt; left as it is.
        continuation: One that follows the prompt, of two tokens or more.
    """
    from transformers.cache_utils import DynamicLayer

    attention = getattr(model.config.get_text_config(), "_attn_implementation", None)
    if attention not in MASKED or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return False
    support = _packing_support.setdefault(model, {})
    if kind not in support:
        support[kind] = _packing_is_exact(model, cache, list(continuation[:-1][:TRIED]))
    return support[kind]


def pack_options(continuations: Sequence[Sequence[int]]) -> Row:
    """Lay continuations out in one row; the last token of each is left out, for nothing comes after it."""
    places: dict[tuple[int, int], int] = {}
    paths: list[list[int]] = []
    for tokens in continuations:
        path, place = list[int](), -1
        for token in tokens[:-1]:
            place = places.setdefault((place, token), len(places))
            path.append(place)
        paths.append(path)
    sees = np.eye(len(places), dtype=np.bool_)
    depths = [0] * len(places)
    for path in paths:
        sees[np.ix_(path, path)] |= np.tri(len(path), dtype=np.bool_)
        for depth, place in enumerate(path):
            depths[place] = depth
    return Row([token for _, token in places], depths, sees, paths)


def _packing_is_exact(model: Any, cache: Any, tokens: list[int]) -> bool:
    times = max(2, TRIED // len(tokens))
    sees = np.kron(np.eye(times, dtype=np.bool_), np.tri(len(tokens), dtype=np.bool_))
    row = Row(tokens * times, [*range(len(tokens))] * times, sees, [])
    alone = model(**_ids(model, [tokens]), past_key_values=copy.deepcopy(cache), use_cache=True).logits[0].float()
    try:
        # A copy, for a model that stops half-way leaves some layers longer than others.
        last = _packed_logits(model, copy.deepcopy(cache), row)[-len(tokens) :]
    except (RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        return False
    # Half as many digits differ by some hundredths between any two orders of computing.
    slack = 1e-4 if cache.layers[0].keys.dtype == torch.float32 else 0.1
    return float((last - alone).std()) <= slack * float(alone.std())


def _score_packed(
    model: Any, cache: Any, continuations: Sequence[tuple[int, ...]]
) -> Iterator[tuple[Sequence[tuple[int, ...]], list[float]]]:
    """Continuations and the log-probabilities of all their tokens but the first, one row at a time."""
    for part in _rows(continuations):
        row = pack_options(part)
        logits = _packed_logits(model, cache, row)
        # The row's keys and values are cut off again: the prompt's are there for the next row.
        cache.crop(-len(row.ids))
        places = torch.tensor([place for path in row.paths for place in path], device=logits.device)
        following = torch.tensor([token for tokens in part for token in tokens[1:]], device=logits.device)
        logprobs = torch.log_softmax(logits, -1)[places, following].double()
        yield part, [float(each.sum()) for each in logprobs.split([len(path) for path in row.paths])]


def _rows(continuations: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Sorted continuations in parts that fit a row."""
    part: list[tuple[int, ...]] = []
    length = 0
    for tokens in continuations:
        new = len(tokens) - 1 - (_alike(part[-1][:-1], tokens[:-1]) if part else 0)
        if part and new and length + new > PACKED:
            yield part
            part, length, new = [], 0, len(tokens) - 1
        part.append(tokens)
        length += new
    yield part


def _alike(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def _packed_logits(model: Any, cache: Any, row: Row) -> torch.Tensor:
    """Logits after every token of a row, float32 ``(tokens, words)``; the cache is left longer by the row."""
    keys = cache.layers[0].keys
    before, count = cache.get_seq_length(), len(row.ids)
    mask = torch.zeros((1, 1, count, before + count), dtype=keys.dtype)
    mask[..., before:].masked_fill_(torch.from_numpy(~row.sees), torch.finfo(keys.dtype).min)
    positions = torch.tensor([row.depths], device=model.device) + before
    delta = getattr(_counter(model), "rope_deltas", None)
    if delta is not None:
        positions = positions + delta.to(positions)
    inputs = {**_ids(model, [row.ids]), "attention_mask": mask.to(model.device), "position_ids": positions}
    logits: torch.Tensor = model(**inputs, past_key_values=cache, use_cache=True).logits
    return logits[0].float()


def _counter(model: Any) -> Any | None:
    """The part of a model that counts text after a video from the video's largest position, as Qwen's have one."""
    return next((part for part in (model, getattr(model, "model", None)) if hasattr(part, "rope_deltas")), None)


def _score_on_copies(
    model: Any, cache: Any, continuations: Sequence[tuple[int, ...]]
) -> Iterator[tuple[Sequence[tuple[int, ...]], list[float]]]:
    """As :func:`_score_packed`, each continuation behind a copy of the cache."""
    # Those of one length go together, for what is filled up is computed too.
    ordered = sorted(continuations, key=len)
    for start in range(0, len(ordered), BRANCHES):
        part = ordered[start : start + BRANCHES]
        longest = len(part[-1]) - 1
        ids = _ids(model, [[*tokens[:-1], *[0] * (longest - len(tokens) + 1)] for tokens in part])
        branches = copy.deepcopy(cache)
        branches.reorder_cache(torch.zeros(len(part), dtype=torch.long, device=model.device))
        # Rows are filled up on the right, where a causal model does not look, so that no mask is needed.
        logits = model(**ids, past_key_values=branches, use_cache=True).logits
        del branches
        logprobs: list[float] = []
        for row, tokens in zip(logits, part, strict=True):
            after = row[: len(tokens) - 1].float()
            chosen = torch.log_softmax(after, -1).gather(1, torch.tensor(tokens[1:], device=after.device)[:, None])
            logprobs.append(float(chosen.double().sum()))
        yield part, logprobs


def _ids(model: Any, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor(rows, dtype=torch.long, device=model.device)}
