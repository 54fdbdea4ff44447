"""A server that is as able or as unable as a test wants, and openai loaded from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from egobench.model import Model
from egobench.plugins import load_model
from tests.scripted_server import Answer, Server, chat, serving

KEY = "sk-0123456789abcdef"
REFUSED: Answer = (400, {}, b'{"error": {"message": "Unrecognized request argument"}}')


@dataclass
class Able:
    """A server that can do some things.

    Attributes:
        fields: Fields beside the usual ones that it takes; the others are refused, or overlooked.
        overlooks: Whether it overlooks fields that it does not know.
        image_tokens: Tokens of an image; 0 where it shows the model none.
        says: What it says to a question, where nothing holds it to other texts.
        tokens: What it tells of the first positions of a reply: token and log-probability of each.
    """

    fields: tuple[str, ...] = ()
    overlooks: bool = False
    image_tokens: int = 7
    says: Callable[[str], str] = lambda _: "(B)"
    tokens: Sequence[dict[str, float]] = ({"B": -0.5, "A": -1.5, "C": -3.0},)
    usual: tuple[str, ...] = ("model", "messages", "max_tokens", "max_completion_tokens", "temperature")

    def __call__(self, body: dict[str, Any]) -> Answer:
        """Answer a request."""
        unknown = body.keys() - {*self.usual, *self.fields}
        if unknown and not self.overlooks:
            return REFUSED
        body = {key: value for key, value in body.items() if key not in unknown}
        more: dict[str, Any] = {
            "usage": {"prompt_tokens": 40 + self.image_tokens * shown(body), "completion_tokens": 3}
        }
        if body.get("logprobs"):
            told = [
                {"token": sorted(place.items(), key=lambda told: -told[1])[0][0], "top_logprobs": listed(place)}
                for place in self.tokens
            ]
            more["logprobs"] = {"content": told}
        return chat(self._held(body), model="toy-2026-01-01", **more)

    def _held(self, body: dict[str, Any]) -> str:
        if "structured_outputs" in body:
            return str(body["structured_outputs"]["choice"][1])
        if "response_format" in body:
            texts = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
            return json.dumps({"answer": texts[1]})
        return self.says(words(body))


def listed(place: dict[str, float]) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": value, "bytes": None} for token, value in place.items()]


def shown(body: dict[str, Any]) -> int:
    """How many images a request holds."""
    content = body["messages"][-1]["content"]
    return 0 if isinstance(content, str) else sum(part["type"] != "text" for part in content)


def words(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@contextmanager
def talking(says: Callable[[dict[str, Any]], Answer]) -> Generator[Server]:
    """A server that answers by what it is asked."""
    with serving(lambda number: says(server.asked[number])) as server:
        yield server


def loaded(server: Server, **options: Any) -> Model:
    """The model behind a server, which waits little between two tries."""
    model: Any = load_model("openai", base_url=server.url, model="org/toy", **{"timeout": 10, "tries": 3, **options})
    model.connection.endpoint = replace(model.connection.endpoint, first_wait=0.01)
    return model  # type: ignore[no-any-return]
