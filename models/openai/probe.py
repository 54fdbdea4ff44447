"""What a server can do, found out by asking it: an answer of HTTP 200 proves nothing, what is in it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from egobench.errors import EndpointError, ModelError, RequestError
from egobench.model import Prompt
from egobench.server.completion import Completion
from egobench.server.endpoint import Connection

from .choice import FORMS, Form, choice_fields, read_choice
from .dialect import Dialect
from .letters import POSITIONS, letter_logprobs

FRAMES = 16
"""Frames of the trial: as many as most tasks show."""

TOP_LOGPROBS = (20, 5)
"""Tokens a position that are asked for: the most that OpenAI and vLLM give, and fewer."""

CHOICES = ("violet-72", "ochre-19")
"""What a trial reply is held to; nobody says either of his own accord."""

Wish = Literal["auto", "yes", "no"]
"""Whether replies are held to the options' letters: where the server can, in any case, never."""


@dataclass(frozen=True, slots=True)
class ServerAbilities:
    """What a server can do.

    Attributes:
        dialect: How it wants to be spoken to.
        served: What it calls the model.
        logprobs: Likeliest tokens that it tells at each position, 0 for none.
        choice: How a reply is held to letters; ``None`` where it is not.
        blind: Why frames cannot be shown; ``""`` where they can.
    """

    dialect: Dialect
    served: str
    logprobs: int
    choice: Form | None
    blind: str


def probe(connection: Connection, preferred: Dialect, *, must_see: bool, choice: Wish) -> ServerAbilities:
    """Find out what a server can do, by a few short requests.

    Args:
        connection: The server.
        preferred: How it would best be spoken to.
        must_see: Whether it is an error that frames cannot be shown.
        choice: Whether replies are held to the options' letters.

    Raises:
        ModelError: If it cannot be asked at all, or not in the way that was chosen.
    """
    offered: list[str] = []
    try:
        offered = connection.models()
        dialect, hello = _spoken(connection, preferred)
        blind = _blind(connection, dialect, hello)
        if blind and must_see:
            instead = "images" if dialect.media and dialect.media.kind != "images" else "auto, and ask --control blind"
            raise ModelError(f"model {preferred.model!r}: {blind}; set -o media={instead}")
        dialect = replace(dialect, media=None) if blind else dialect
        # The first tokens of thoughts say nothing about letters.
        tried = () if hello.thought or dialect.thinking else TOP_LOGPROBS
        logprobs = next((top for top in tried if _tells(connection, dialect, top)), 0)
        form = _form(connection, dialect) if choice != "no" else None
    except EndpointError as error:
        known = f"; it offers {', '.join(offered[:20])}" if offered and preferred.model not in offered else ""
        raise ModelError(f"model {preferred.model!r} cannot be asked: {error}{known}") from error
    if choice == "yes" and form is None:
        raise ModelError(
            f"model {preferred.model!r}: no way was found to hold replies to letters ({', '.join(FORMS)}); "
            "give -o choice=auto or -o choice=no"
        )
    return ServerAbilities(dialect, hello.model or preferred.model, logprobs, form, blind)


def _spoken(connection: Connection, preferred: Dialect) -> tuple[Dialect, Completion]:
    """The first way of speaking that the server takes, and its answer to words alone."""
    prompt = _trial()
    ways = list(_ways(preferred))
    while True:
        way = ways.pop(0)
        try:
            hello = connection.chat(way.body(prompt, show=False))
            break
        except RequestError as error:
            if not ways or error.status is None or error.status == 429:
                raise
            if error.status >= 500:
                # No refusal of a field, but perhaps of a role: templates that know no system message raise there.
                ways = ways[-1:]
    text = hello.text.strip()
    if hello.finish == "length" and (not text or (text.startswith("<think>") and "</think>" not in text)):
        raise ModelError(
            f"model {preferred.model!r} thinks, and its {prompt.max_new_tokens + preferred.thinking} tokens ended "
            "before it answered; turn thinking off by -o extra (see docs/openai_servers.md), or give it more by "
            "-o thinking=4096"
        )
    return way, hello


def _ways(preferred: Dialect) -> Iterator[Dialect]:
    yield preferred
    yield replace(preferred, limit_as="max_completion_tokens")
    yield replace(preferred, limit_as="max_completion_tokens", temperature=False)
    yield replace(preferred, temperature=False)
    yield replace(preferred, system=False)


def _blind(connection: Connection, dialect: Dialect, hello: Completion) -> str:
    """Why frames cannot be shown, ``""`` where they can."""
    if dialect.media is None:
        return "no frames are sent"
    try:
        answer = connection.chat(dialect.body(_trial()))
    except RequestError as error:
        _raise_busy(error)
        return f"the server does not take {FRAMES} frames as {dialect.media.kind}: {error}"
    if not answer.prompt_tokens or not hello.prompt_tokens:
        # It does not count.
        return ""
    tokens = answer.prompt_tokens - hello.prompt_tokens
    # An image takes a token at least; videos may join frames.
    if tokens < (FRAMES if dialect.media.kind == "images" else 2):
        return (
            f"the server takes {FRAMES} frames as {dialect.media.kind} and does not show them to the model: "
            f"{answer.prompt_tokens} prompt tokens with them, {hello.prompt_tokens} without"
        )
    return ""


def _tells(connection: Connection, dialect: Dialect, top: int) -> bool:
    """Whether log-probabilities of the likeliest tokens come back."""
    answer = _try(connection, dialect, logprob_fields(dialect, top))
    return answer is not None and letter_logprobs(answer.logprobs, "AB") is not None


def _form(connection: Connection, dialect: Dialect) -> Form | None:
    return next((form for form in FORMS if _holds(connection, dialect, form)), None)


def _holds(connection: Connection, dialect: Dialect, form: Form) -> bool:
    """Whether a reply really is one of the texts that it was held to."""
    answer = _try(connection, dialect, choice_fields(form, CHOICES))
    return answer is not None and read_choice(form, answer.text).strip() in CHOICES


def logprob_fields(dialect: Dialect, top: int) -> dict[str, Any]:
    """The fields of a request that asks for log-probabilities of the first tokens of a reply."""
    return {"logprobs": True, "top_logprobs": top, dialect.limit_as: POSITIONS}


def _try(connection: Connection, dialect: Dialect, fields: Mapping[str, Any]) -> Completion | None:
    try:
        return connection.chat({**dialect.body(_trial(), show=False), **fields})
    except RequestError as error:
        _raise_busy(error)
        return None


def _raise_busy(error: RequestError) -> None:
    """A server that was busy in spite of all tries has not said what it can do."""
    if error.status in {None, 429, 503, 504, 529}:
        raise error


def _trial() -> Prompt:
    """A question with a few frames that differ, in colours that compress to nothing."""
    shades = np.linspace(0, 255, FRAMES).astype(np.uint8)
    frames = np.broadcast_to(shades[:, None, None, None], (FRAMES, 64, 64, 3)).copy()
    frames[:, 16:48, 16:48] = (200, 40, 40)
    return Prompt(
        frames=frames,
        times=np.arange(FRAMES, dtype=np.float64),
        system="You answer questions about a video.",
        question="",
        options=(),
        text="Answer with the single word hello.",
        max_new_tokens=64,
        seed=0,
    )
