"""New instructions, written by a language model behind an OpenAI-compatible server.

The paper had GPT-4o write ten a source (supplement B of arXiv 2503.09143). What is asked here says the same to the
model in words of this project: what the videos are, what is asked and answered, and an example.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from typing import Final

from egobench.errors import EndpointError, JsonInputError
from egobench.json_input import read_json
from egobench.server.endpoint import Connection, find_endpoint

ABOUT: Final[Mapping[str, str]] = {
    "egtea": "short first-person clips of cooking; the answer names the action and the objects it is done to",
    "something-something-v2": "short clips of hands that act on everyday objects; the answer describes the action",
    "egotimeqa": "first-person recordings of several minutes; an open question about one moment, and a short answer",
    "egotimeqa-closed": "first-person recordings of several minutes; a question about one moment, with four options",
    "open-eqa": "tours through homes, filmed from the first person; a question about what is there, and a short answer",
    "egoexolearn": "first-person clips of steps in kitchens and laboratories; the answer tells the step",
}
"""What the model is told of each list of instructions."""

TEMPLATE: Final = """\
You write instructions for training a multimodal assistant on first-person videos.
The videos: {about}.
Write {count} different instructions that could stand before the question of any of these videos. Each is one or two \
sentences, tells the assistant what to attend to and how to answer, and gives no answer away.
An example: {example}
Reply with a JSON list of {count} strings and nothing else."""

TRIES: Final = 3
"""Times that the model is asked until there are enough different ones."""


def write_instructions(url: str, model: str, source: str, *, count: int, example: str) -> list[str]:
    """Have a model write instructions.

    Args:
        url: Base address of an OpenAI-compatible server; the key is ``OPENAI_API_KEY``.
        model: The model's name there.
        source: The list that they are for, one of :data:`ABOUT`.
        count: How many instructions, at least 1.
        example: One that there is already; it is not written again.

    Raises:
        ValueError: If there is no such list, or the address is none.
        EndpointError: If the server does not answer, or does not write enough different ones.
    """
    if source not in ABOUT:
        raise ValueError(f"no instructions for {source!r} are known; there are {', '.join(ABOUT)}")
    texts: dict[str, None] = {}
    reply = ""
    with closing(find_endpoint(url, "--url").connect(1)) as connection:
        for _ in range(TRIES):
            missing = count - len(texts)
            reply = _ask(connection, model, TEMPLATE.format(about=ABOUT[source], count=missing, example=example))
            texts.update((text, None) for text in instructions_in(reply) if text != example)
            if len(texts) >= count:
                return list(texts)[:count]
    raise EndpointError(
        f"{model} wrote {len(texts)} of {count} different instructions for {source} in {TRIES} tries; it replied last: "
        f"{reply!r:.200}"
    )


def _ask(connection: Connection, model: str, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    return connection.chat({"model": model, "messages": messages, "temperature": 1.0}).text


def instructions_in(reply: str) -> list[str]:
    """The instructions in a reply: a JSON list, in a fence or not, else the lines of a numbered or bulleted list."""
    start, end = reply.find("["), reply.rfind("]")
    if 0 <= start < end:
        try:
            content = read_json(reply[start : end + 1], "the reply")
        except JsonInputError:
            content = None
        if isinstance(content, list):
            return [" ".join(text.split()) for text in content if isinstance(text, str) and text.strip()]
    matches = (re.match(r"\s*(?:\d+[.)]|[-*])\s+(\S.*)", line) for line in reply.splitlines())
    return [match[1].strip().strip('"') for match in matches if match]
