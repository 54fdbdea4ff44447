"""An OpenAI-compatible server on this machine that says what a test tells it to."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

HANG = 0
"""A status: no answer until the test ends."""

CUT = -1
"""A status: the connection ends in the middle of the body."""


@dataclass
class Server:
    """What a server says, and what it was asked.

    Attributes:
        says: From the number of a request, from 0, to status, headers and body.
        asked: The bodies of all requests.
        authorizations: Their ``Authorization``.
        models: What it says to who asks for its models.
        most: Most requests that it had at a time.
        url: Its base address.
    """

    says: Callable[[int], Answer]
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    authorizations: list[str | None] = field(default_factory=list["str | None"])
    models: Answer = (404, {}, b"")
    most: int = 0
    url: str = ""
    hung: Event = field(default_factory=Event)
    under_way: int = 0
    lock: Lock = field(default_factory=Lock)


class Handler(BaseHTTPRequestHandler):
    """Keeps connections and is silent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send(self, status: int, headers: Mapping[str, str], content: bytes, *, cut: bool = False) -> None:
        """Answer; in the end, or after half of the body where it is cut."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
        del format, args


@contextmanager
def listening(handler: type[Handler]) -> Generator[str]:
    """The base address, on 127.0.0.1, of a server with this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving(says: Callable[[int], Answer]) -> Generator[Server]:
    """A server on 127.0.0.1."""
    held = Server(says)

    class Scripted(Handler):
        def do_GET(self) -> None:
            self._answer(*held.models)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with held.lock:
                number = len(held.asked)
                held.asked.append(body)
                held.authorizations.append(self.headers["Authorization"])
                held.under_way += 1
                held.most = max(held.most, held.under_way)
            try:
                self._answer(*held.says(number))
            finally:
                with held.lock:
                    held.under_way -= 1

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            if status == HANG:
                held.hung.wait(20)
                self.close_connection = True
                return
            self.send(200 if status == CUT else status, headers, content, cut=status == CUT)

    with listening(Scripted) as held.url:
        try:
            yield held
        finally:
            held.hung.set()


def chat(content: str | None, **more: Any) -> Answer:
    """A chat completion.

    Args:
        content: What it says.
        more: Entries of the choice, or ``usage`` and ``model`` of the answer.
    """
    beside = {key: more.pop(key) for key in ("usage", "model") if key in more}
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop", **more}
    return 200, {}, json.dumps({"choices": [choice], **beside}).encode()
