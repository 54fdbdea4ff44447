"""One connection to a server: requests one after another, each bounded in time and in the size of its answer."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Timer
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from httpx import Response

MOST_BYTES = 32 << 20
"""Bytes of the longest answer that is read, unpacked; that of a chat has some thousands."""

EXCUSE_BYTES = 1 << 16
"""Bytes read of an answer that is a refusal; the rest is left."""

PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""Encodings of an answer that are unpacked, though none is asked for, and what zlib calls their formats."""

CONNECT_SECONDS = 10.0
"""Longest time to connect."""


class TryError(Exception):
    """One try of a request failed.

    Attributes:
        status: The HTTP status, ``None`` where there was none.
        again: Whether another try may not fail.
        wait: How many seconds the server asked for.
        slower: Whether it wants fewer requests at a time.
        unreachable: Whether no connection could be made.
        counts: Whether it may be a failure of the server rather than of this request.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        again: bool = True,
        wait: float | None = None,
        slower: bool = False,
        unreachable: bool = False,
        counts: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.again, self.wait, self.slower = status, again, wait, slower
        self.unreachable = unreachable
        self.counts = again if counts is None else counts


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """An answer of a server.

    Attributes:
        status: The HTTP status.
        reason: What the server calls it.
        headers: Its headers.
        content: Its body, unpacked; the beginning of a refusal.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


class Line:
    """A connection that is kept open between requests; one thread at a time uses it.

    Args:
        url: Base address of the server.
        headers: Headers of every request.
        seconds: Seconds for a request and its whole answer.
        context: How encrypted connections are made.
        trust_env: Whether proxies of the environment are used.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], seconds: float, *, context: ssl.SSLContext, trust_env: bool
    ) -> None:
        import httpx  # noqa: PLC0415 - an extra

        self._seconds = seconds
        self._socket: Any = None
        self._client = httpx.Client(
            base_url=url,
            headers={"Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            verify=context,
            trust_env=trust_env,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, method: str, path: str, body: bytes | None = None) -> ServerAnswer:
        """Send a request and read its answer.

        Args:
            method: ``"GET"`` or ``"POST"``.
            path: Below the base address.
            body: JSON.

        Raises:
            TryError: If there is no whole answer in time, or it is too long.
        """
        import httpx  # noqa: PLC0415 - an extra

        deadline = _Deadline(self, self._seconds)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        late = f"no answer within {self._seconds:g} seconds"
        try:
            with (
                deadline,
                self._client.stream(
                    method, path, content=body, headers=headers, extensions={"trace": deadline.trace}
                ) as response,
            ):
                return ServerAnswer(response.status_code, response.reason_phrase, response.headers, _read(response))
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise TryError(late, slower=True) from error
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if deadline.expired:
                raise TryError(late, slower=True) from error
            unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise TryError(f"{type(error).__name__}: {error}", unreachable=unreachable) from error

    def hang_up(self) -> None:
        """End whatever is read or written now, from another thread."""
        with suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def use(self, connected: Any) -> None:
        """Remember the socket of the connection.

        Args:
            connected: A :class:`socket.socket`, or what encrypts one.
        """
        self._socket = connected


class _Deadline:
    """Hangs a line up when a request takes too long, however little of its answer comes each second.

    The timeouts of httpx count from byte to byte.
    """

    def __init__(self, line: Line, seconds: float) -> None:
        self.expired = False
        self._line, self._over, self._lock = line, False, Lock()
        self._timer = Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
        self._timer.cancel()

    def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """Learn of new connections (httpx, Extensions, ``trace``)."""
        stream: Any = details.get("return_value")
        if event.endswith(".complete") and hasattr(stream, "get_extra_info"):
            self._line.use(stream.get_extra_info("socket"))
            if self.expired:
                self._line.hang_up()

    def _expire(self) -> None:
        with self._lock:
            if not self._over:
                self.expired = True
                self._line.hang_up()


def _read(response: Response) -> bytes:
    """The body, unpacked by hand: a few bytes may unpack to any number."""
    refusal = not response.is_success
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", *PACKED}:
        if refusal:
            return b""
        raise TryError(f"the answer is packed by {packing[:40]!r}, which was not asked for", again=False, counts=True)
    content = bytearray()
    most = EXCUSE_BYTES if refusal else MOST_BYTES
    for part in _unpacked(response.iter_raw(), packing, most + 1):
        content += part
        if len(content) > most:
            break
    if len(content) <= most:
        return bytes(content)
    if refusal:
        return bytes(content[:most])
    raise TryError(f"the answer is longer than {most >> 20} MiB", again=False, counts=True)


def _unpacked(parts: Iterable[bytes], packing: str, most: int) -> Iterable[bytes]:
    if packing not in PACKED:
        yield from parts
        return
    unpack = zlib.decompressobj(PACKED[packing])
    try:
        for part in parts:
            yield unpack.decompress(part, most)
            if unpack.unconsumed_tail:
                # Whoever reads this has more than he wants.
                return
        yield unpack.flush(1)
    except zlib.error as error:
        raise TryError(f"the answer cannot be unpacked ({error})") from error
