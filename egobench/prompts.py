"""How a question is put: the paper's three system prompts and the one user turn (PROTOCOL section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The letter of each option, by position."""

SYSTEM = {
    "base": "Carefully observe the video and choose the best option for the question.",
    "task": (
        "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of "
        "objects, and the action and pose of persons. Select the best option that accurately addresses the question."
    ),
    "first_person": (
        "From a first-person perspective, pay attention to the cause and sequence of events, the hands' movements and "
        "details with objects, and the action and pose of persons. Select the best option that accurately addresses "
        "the question."
    ),
}
"""System prompts by id: arXiv 2503.09143, Table 16."""

MAX_NEW_TOKENS = {"mcq": 64, "open": 128, "gallery": 0, "rerank": 0}
"""Most tokens of a reply, by protocol."""


def user_turn(question: str, options: Sequence[str]) -> str:
    """The user's turn: the question, the lettered options, and what to answer with.

    Raises:
        ValueError: If there are more options than letters.
    """
    if len(options) > len(LETTERS):
        raise ValueError(f"{len(options)} options; at most {len(LETTERS)} can be lettered")
    if not options:
        return f"Question: {question}\nAnswer briefly."
    lines = [f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([f"Question: {question}", "Options:", *lines, "Answer with the option's letter only."])


def prompt_hash(style: str) -> str:
    """First 12 hex digits of the SHA-256 of all that a prompt style adds to question and options.

    Raises:
        ValueError: If there is no such style.
    """
    if style not in SYSTEM:
        raise ValueError(f"no prompt {style!r}; there are {', '.join(SYSTEM)}")
    rendered = "\0".join([SYSTEM[style], user_turn("{question}", ["{option}"] * 2), user_turn("{question}", [])])
    return sha256(rendered.encode()).hexdigest()[:12]
