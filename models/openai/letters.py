"""Log-probabilities of option letters, from the few likeliest tokens that a server tells."""

from __future__ import annotations

import math
import re
from typing import Any

POSITIONS = 4
"""Tokens asked for: a reply may begin with a bracket or a line break before its letter."""

_LETTER = re.compile(r"[\s\u0120\u2581\"'*(\[]*([A-Z])[\s\"'*)\].:,]*")
"""A letter as a token may spell it: ``"A"``, ``" A"``, ``"(A"``, ``"A)"``."""


def letter_logprobs(logprobs: Any, letters: str) -> tuple[list[float], int] | None:
    """Log-probability of each letter at the first position of a reply that says something.

    Positions whose token has neither letter nor digit are passed over. Tokens that spell the same letter count
    together. A letter that is not among the tokens told is at most as likely as the least likely of them: that number
    stands for it.

    Args:
        logprobs: The entry ``logprobs`` of a chat completion.
        letters: The letters in order.

    Returns:
        One number per letter, natural logarithm, and how many letters were not told; ``None`` if these are no
        log-probabilities.
    """
    tokens = _top_tokens(logprobs)
    if tokens is None:
        return None
    by_letter: dict[str, list[float]] = {}
    for token, value in tokens:
        spelt = _LETTER.fullmatch(token)
        if spelt and spelt[1] in letters:
            by_letter.setdefault(spelt[1], []).append(value)
    floor = min(value for _, value in tokens)
    return [_log_sum(by_letter.get(letter, [floor])) for letter in letters], len(set(letters) - by_letter.keys())


def _log_sum(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def _top_tokens(logprobs: Any) -> list[tuple[str, float]] | None:
    """Tokens and log-probabilities at the position that counts; ``None`` where they cannot be log-probabilities."""
    try:
        places = logprobs["content"]
        place = next((place for place in places if any(map(str.isalnum, place["token"]))), places[0])
        tokens = [(str(entry["token"]), float(entry["logprob"])) for entry in place["top_logprobs"]]
    except (LookupError, TypeError, ValueError):
        return None
    # Some servers tell the token of the reply twice.
    tokens = [(token, value) for token, value in dict.fromkeys(tokens) if value != -math.inf]
    values = [value for _, value in tokens]
    # Some servers put 0 everywhere, which would make each of them certain.
    sane = all(map(math.isfinite, values)) and max(values, default=1) <= 1e-6 and sum(map(math.exp, values)) <= 1.01
    return tokens if sane and len(tokens) > 1 else None
