"""openai with several servers: who is asked, and what becomes of requests to one that goes away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from time import sleep
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.plugins import load_model
from tests.models.able_server import Able, talking
from tests.models.prompts import ask
from tests.scripted_server import Answer, Server

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

GONE: Answer = (503, {"Retry-After": "9999"}, b"shutting down")
"""A server that will answer nobody for hours."""


@contextmanager
def two_servers(*, choice: str = "no") -> Generator[tuple[Any, Server, Server]]:
    """A model behind two able servers, whose requests from then on are counted."""
    with talking(Able()) as first, talking(Able()) as second:
        model: Any = load_model(
            "openai", base_url=f"{first.url}, {second.url}", model="org/toy", choice=choice, timeout=10, tries=2
        )
        for server in (first, second):
            server.asked.clear()
        yield model, first, second


def replies(model: Any, count: int) -> list[Any]:
    """Ask prompts from as many threads as the model allows."""
    with ThreadPool(model.at_once) as pool:
        return pool.map(lambda seed: model.generate([ask(seed=seed, count=2)])[0], range(count))


def test_two_servers_share_the_questions_and_are_one_model() -> None:
    with two_servers() as (model, first, second):
        assert model.at_once == 32
        assert model.info.settings["server"] == "localhost"
        able = Able()

        def slow(number: int, server: Server) -> Answer:
            sleep(0.05)
            return able(server.asked[number])

        first.says, second.says = lambda number: slow(number, first), lambda number: slow(number, second)
        assert {reply.text for reply in replies(model, 24)} == {"(B)"}
        assert len(first.asked) + len(second.asked) == 24
        assert min(len(first.asked), len(second.asked)) >= 6


def test_the_questions_of_a_server_that_goes_away_are_answered_by_the_other() -> None:
    with two_servers() as (model, first, second):
        first.says = lambda _: GONE
        assert {(reply.text, reply.error) for reply in replies(model, 12)} == {("(B)", None)}
        # At most its half of the twelve was given to it before the first of them came back; then it was left alone.
        assert len(first.asked) <= 6
        assert len(second.asked) == 12


def test_a_request_that_one_server_fails_at_is_sent_to_the_other_and_its_tries_count() -> None:
    with two_servers() as (model, first, _):
        first.says = lambda _: (500, {}, b"oops")
        model.connection._connections[0].endpoint = first_waits_little(model)
        tries = [model.generate([ask(seed=seed, count=2)])[0].tries for seed in range(3)]
    # Two at the first server and one at the second, which has more room for its answer: from then on it is asked first.
    assert tries == [3, 1, 1]


def first_waits_little(model: Any) -> Any:
    from dataclasses import replace

    return replace(model.connection._connections[0].endpoint, first_wait=0.01)


def test_a_request_that_is_refused_is_sent_to_nobody_else() -> None:
    with two_servers() as (model, first, second):
        first.says = second.says = lambda _: (400, {}, b"longer than the context")
        reply = model.generate([ask(count=2)])[0]
        assert reply.error == "HTTP 400 Bad Request: 'longer than the context'"
        assert len(first.asked) + len(second.asked) == 1


def test_a_run_ends_when_no_server_answers_anybody() -> None:
    with two_servers() as (model, first, second):
        first.says = second.says = lambda _: GONE
        with pytest.raises(ModelError, match="asks to be left alone"):
            model.generate([ask(count=2)])


def test_servers_of_different_abilities_are_refused() -> None:
    with (
        talking(Able()) as able,
        talking(Able(fields=("logprobs", "top_logprobs"))) as abler,
        pytest.raises(ModelError, match="is not the same at"),
    ):
        load_model("openai", base_url=f"{able.url},{abler.url}", model="org/toy", timeout=10)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/v1,http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1,,"])
def test_a_server_named_twice_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"twice|no web address"):
        load_model("openai", base_url=base_url, model="org/toy")
