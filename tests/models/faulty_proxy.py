"""A proxy that lets most requests through to a server, and does to some what networks and busy servers do to them."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Lock, Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

FAULTS = ("429", "500", "disconnect", "slow")
"""What happens, one as often as the other."""


@dataclass
class Proxy:
    """The proxy.

    Attributes:
        to: Base address of the server.
        share: Share of requests with each of :data:`FAULTS`, in [0, 0.25].
        random: Which ones.
        seen: How often each fault happened, and ``"none"``.
        url: The proxy's base address.
        ended: Set when the test is over; slow answers wait for it.
    """

    to: str
    share: float
    random: Random
    seen: Counter[str] = field(default_factory=Counter[str])
    url: str = ""
    ended: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def fault(self) -> str:
        """What happens to the next request."""
        with self.lock:
            place = int(self.random.random() / self.share) if self.share else len(FAULTS)
            fault = FAULTS[place] if place < len(FAULTS) else "none"
            self.seen[fault] += 1
            return fault

    @property
    def faults(self) -> int:
        """Requests so far that went wrong."""
        return self.seen.total() - self.seen["none"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy

    def do_GET(self) -> None:
        self._answer(*self._forward(None))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.proxy.fault()
        if fault == "429":
            # In seconds or as a date, as RFC 9110 has it.
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
            self._answer(429, b"slow down", {"Retry-After": "0.3" if self.proxy.seen["429"] % 2 else date})
        elif fault == "500":
            self._answer(500, b"Internal Server Error: the answer is (A)")
        elif fault == "slow":
            self.proxy.ended.wait(60)
            self.close_connection = True
        else:
            self._answer(*self._forward(body), cut=fault == "disconnect")

    def _forward(self, body: bytes | None) -> tuple[int, bytes]:
        to = self.proxy.to + self.path.removeprefix("/v1")
        request = Request(to, body, {"Content-Type": "application/json"})  # noqa: S310 - 127.0.0.1
        try:
            with urlopen(request, timeout=120) as response:  # noqa: S310
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def proxying(to: str, *, share: float, seed: int) -> Generator[Proxy]:
    """A proxy on 127.0.0.1.

    Args:
        to: Base address of the server behind it.
        share: Share of requests with each of :data:`FAULTS`.
        seed: Decides which ones.
    """
    held = Proxy(to, share, Random(seed))
    handler = type("Handler", (_Handler,), {"proxy": held})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        held.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield held
        finally:
            held.ended.set()
            server.shutdown()
            thread.join()
