"""A chat completion, as OpenAI's and the servers that copy it answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNFINISHED = {"error", "abort"}
"""Reasons to end that leave no answer, as OpenRouter, SGLang and vLLM give them with HTTP 200."""


NAME_LENGTH = 200
"""Most characters of a name that a server gives."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A server's answer to a chat.

    Attributes:
        text: The words; ``""`` for none.
        finish: Why they end: ``"stop"``, ``"length"``, ...; ``""`` where the server does not say.
        logprobs: The entry ``logprobs`` as it came; ``None`` where there is none.
        model: The model's name as the server gives it.
        prompt_tokens: Tokens read, where the server says so.
        reply_tokens: Tokens written, where it says so.
        thought: Whether thoughts came before the words.
        tries: How often the request was sent.
    """

    text: str
    finish: str
    logprobs: Any
    model: str
    prompt_tokens: int | None
    reply_tokens: int | None
    thought: bool
    tries: int = 1


def read_completion(answer: Any) -> Completion:
    """What an answer says.

    Args:
        answer: Its JSON.

    Raises:
        LookupError: If it is no chat completion, or an error in the place of one.
        TypeError: If it is none.
        AttributeError: If it is none.
    """
    choice = answer["choices"][0]
    message, finish = choice["message"], str(choice.get("finish_reason") or "")
    if answer.get("error") or choice.get("error") or finish in UNFINISHED:
        raise LookupError("an error in the place of an answer")
    usage: dict[str, Any] = answer["usage"] if isinstance(answer.get("usage"), dict) else {}
    content: str | list[Any] | None = message.get("content")
    if isinstance(content, list):
        content = "".join(map(_words, content))
    # A refusal in words has a place of its own there.
    text = content or message.get("refusal") or ""
    return Completion(
        text=text if isinstance(text, str) else "",
        finish=finish[:NAME_LENGTH],
        logprobs=choice.get("logprobs"),
        model=str(answer.get("model") or "")[:NAME_LENGTH],
        prompt_tokens=_whole(usage.get("prompt_tokens")),
        reply_tokens=_whole(usage.get("completion_tokens")),
        # Where the template begins the thoughts, their end alone is there.
        thought=bool(message.get("reasoning_content") or message.get("reasoning")) or "think>" in str(text),
    )


def _words(part: Any) -> str:
    """The words of one part of a message, ``""`` for one without any."""
    words = part.get("text")
    return words if isinstance(words, str) else ""


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
