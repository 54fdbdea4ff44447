"""Asking a judge: any OpenAI-compatible server, see :mod:`egobench.server.endpoint`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool

from egobench.errors import EndpointError, JudgeError, RequestError
from egobench.llm_judge.rubric import Messages, key_of
from egobench.run.records import JudgeReply
from egobench.server.endpoint import Connection, Endpoint, find_endpoint

REQUESTS = 4
"""Under way at a time."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A server and the model on it that judges; made by :func:`find_judge`.

    Attributes:
        endpoint: The server.
        model: The model's name there.
    """

    endpoint: Endpoint
    model: str

    def ask(self, chats: Sequence[Messages]) -> Generator[JudgeReply]:
        """Ask for verdicts, a few at a time.

        Args:
            chats: What to ask.

        Yields:
            One reply a chat, as they come; a request that failed in spite of all tries says why.

        Raises:
            JudgeError: If the server will not answer anybody: wrong key, wrong address, or a missing package.
        """
        try:
            # Its threads are not waited for: who stops this early does not wait for answers under way.
            with closing(self.endpoint.connect(REQUESTS)) as connection, ThreadPool(REQUESTS) as pool:
                ask = partial(self._ask, connection)
                # One goes ahead alone, so that a wrong key is shown to a server once.
                yield from map(ask, chats[:1])
                yield from pool.imap_unordered(ask, chats[1:])
        except EndpointError as error:
            raise JudgeError(str(error)) from error

    def _ask(self, connection: Connection, chat: Messages) -> JudgeReply:
        try:
            completion = connection.chat({"model": self.model, "messages": list(chat), "temperature": 0})
        except RequestError as error:
            return JudgeReply(key_of(chat), error=str(error))
        return JudgeReply(key_of(chat), reply=completion.text)


def find_judge(url: str, model: str) -> Judge:
    """A judge at an address, with the key of the environment.

    Args:
        url: Base address of an OpenAI-compatible server, e.g. ``"https://api.openai.com/v1"``.
        model: The model's name there.

    Raises:
        ValueError: If the address is none, holds a password or a query, or leaves this machine without TLS.
        JudgeError: If the key cannot be one.
    """
    try:
        return Judge(find_endpoint(url, "--judge-url"), model)
    except EndpointError as error:
        raise JudgeError(str(error)) from error
