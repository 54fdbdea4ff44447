"""Several servers with the same model behind one queue: each request goes to the one with the most room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from egobench.errors import EndpointError, RequestError
from egobench.server.completion import Completion
from egobench.server.endpoint import Connection

LOST_SECONDS = 60.0
"""Seconds for which a server that answers nobody is left alone."""


REFUSALS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Answers about the request itself: any other server would give them too."""


class Chats(Protocol):
    """One server or several, as far as chats with them go."""

    @property
    def hosts(self) -> str:
        """Names of the machines."""
        ...

    @property
    def at_once(self) -> int:
        """Most requests under way at a time."""
        ...

    def chat(self, body: Mapping[str, Any]) -> Completion:
        """Complete a chat, see :meth:`egobench.server.endpoint.Connection.chat`."""
        ...


class ServerPool:
    """Servers that give the same answers.

    A server that answers nobody is left alone for :data:`LOST_SECONDS`, and what was under way there is sent to
    another. So is a request that one server fails at; one that is refused, as too long say, is not.

    Args:
        connections: To each server, at least one.
    """

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = list(connections)
        self._under_way: Counter[int] = Counter()
        self._lost_until: dict[int, float] = {}
        self._lock = Lock()

    @property
    def hosts(self) -> str:
        """Names of the machines, sorted, each once."""
        return ",".join(sorted({connection.hosts for connection in self._connections}))

    @property
    def at_once(self) -> int:
        """Most requests under way at a time, of all servers together."""
        return sum(connection.at_once for connection in self._connections)

    def chat(self, body: Mapping[str, Any]) -> Completion:
        """Complete a chat by one of the servers.

        Args:
            body: The request, as JSON.

        Raises:
            RequestError: If none has an answer in spite of all tries, or this request is refused.
            EndpointError: If none will answer anybody.
        """
        failed: set[int] = set()
        tries, last_error = 0, EndpointError("no server is there")
        while (number := self._enter(failed)) is not None:
            try:
                completion = self._connections[number].chat(body)
                return replace(completion, tries=tries + completion.tries)
            except RequestError as error:
                if error.status in REFUSALS:
                    raise
                tries += error.tries
                last_error = RequestError(str(error), status=error.status, tries=tries)
                failed.add(number)
            except EndpointError as error:
                last_error = error
                with self._lock:
                    self._lost_until[number] = monotonic() + LOST_SECONDS
            finally:
                with self._lock:
                    self._under_way[number] -= 1
        raise last_error

    def _enter(self, failed: set[int]) -> int | None:
        """The server with the most room that is not lost, and has not failed at this request; counted as under way."""
        with self._lock:
            now = monotonic()
            able = [
                number
                for number in range(len(self._connections))
                if number not in failed and self._lost_until.get(number, now) <= now
            ]
            if not able:
                return None
            room = {number: self._connections[number].pace.places - self._under_way[number] for number in able}
            number = max(able, key=lambda number: room[number])
            self._under_way[number] += 1
            return number
