"""A proxy that lets most requests through to a server, and does to some what networks and busy servers do to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from threading import Event, Lock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.scripted_server import Handler, listening

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


class _Handler(Handler):
    proxy: Proxy

    def do_GET(self) -> None:  # noqa: N802 - the name is that of http.server
        status, content = self._forward(None)
        self.send(status, {}, content)

    def do_POST(self) -> None:  # noqa: N802 - likewise
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.proxy.fault()
        if fault == "429":
            # In seconds or as a date, as RFC 9110 has it.
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
            self.send(429, {"Retry-After": "0.3" if self.proxy.seen["429"] % 2 else date}, b"slow down")
        elif fault == "500":
            self.send(500, {}, b"Internal Server Error: the answer is (A)")
        elif fault == "slow":
            self.proxy.ended.wait(60)
            self.close_connection = True
        else:
            status, content = self._forward(body)
            self.send(status, {}, content, cut=fault == "disconnect")

    def _forward(self, body: bytes | None) -> tuple[int, bytes]:
        to = self.proxy.to + self.path.removeprefix("/v1")
        request = Request(to, body, {"Content-Type": "application/json"})  # noqa: S310 - 127.0.0.1
        try:
            with urlopen(request, timeout=120) as response:  # noqa: S310
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()


@contextmanager
def proxying(to: str, *, share: float, seed: int) -> Generator[Proxy]:
    """A proxy on 127.0.0.1.

    Args:
        to: Base address of the server behind it.
        share: Share of requests with each of :data:`FAULTS`.
        seed: Decides which ones.
    """
    held = Proxy(to, share, Random(seed))
    with listening(type("Forwarding", (_Handler,), {"proxy": held})) as held.url:
        try:
            yield held
        finally:
            held.ended.set()
