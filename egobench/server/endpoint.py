"""An OpenAI-compatible server: its address, its key, and chats with it, with patience while it is busy.

The key comes from the environment variable ``OPENAI_API_KEY`` alone. It goes into one header and nowhere else: what a
server says is searched for it before it is kept or shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from importlib.util import find_spec
from ipaddress import ip_address
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit
from weakref import finalize

from egobench.errors import EndpointError, JsonInputError, RequestError, install_command
from egobench.server.completion import Completion, read_completion
from egobench.server.json_answer import decode, read_answer
from egobench.server.line import Line, ServerAnswer, TryError
from egobench.server.pace import Outcome, Pace, retry_after

if TYPE_CHECKING:
    from tenacity import RetryCallState

KEY = "OPENAI_API_KEY"
"""The environment variable that holds the key."""

CHATS = "/chat/completions"
"""Where chats are completed, below the base address."""

MODELS = "/models"
"""Where the names of models are listed."""

HOPELESS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: f"is {KEY} the right one?",
    HTTPStatus.FORBIDDEN: f"is {KEY} the right one?",
    HTTPStatus.PAYMENT_REQUIRED: "is the account out of credit?",
    HTTPStatus.NOT_FOUND: "",
    HTTPStatus.METHOD_NOT_ALLOWED: "",
}
"""Refusals that every request would meet, and what to ask oneself; ``""`` where the address may be wrong."""

BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, 529}
"""Answers of a server that wants fewer requests at a time; 529 is Anthropic's."""

AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
"""Refusals that another try may not meet."""

LONGEST_WAIT = 300.0
"""Seconds between two tries at most; a server that asks for more is left alone."""

SECRET = 8
"""Characters of the shortest key that is a secret; ``EMPTY`` and the like, for servers without keys, are words."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server; made by :func:`find_endpoint`.

    Attributes:
        url: Its base address, as ``https://.../v1``.
        option: What the address is called where it was given, for messages.
        key: The key, ``""`` for none.
        timeout: Seconds until a try is given up, its answer read to the end.
        tries: Most tries of one request.
        first_wait: Seconds before the second try, doubled before each further one, less a random part.
    """

    url: str
    option: str
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    tries: int = 5
    first_wait: float = 1.0

    @property
    def host(self) -> str:
        """The name of the machine; ``"localhost"`` for this one, whatever the port."""
        name = urlsplit(self.url).hostname or ""
        return "localhost" if _is_this_machine(name) else name

    def connect(self, most: int) -> Connection:
        """Get ready to ask; nothing is sent yet.

        Args:
            most: Most requests under way at a time.

        Raises:
            EndpointError: If a package is missing, or the environment names a proxy or certificates of no use.
        """
        missing = [name for name in ("httpx", "tenacity") if find_spec(name) is None]
        if missing:
            raise EndpointError(f"asking a server needs {', '.join(missing)}; {install_command('openai')}")
        from httpx import InvalidURL  # noqa: PLC0415 - an extra

        try:
            return Connection(self, most)
        except (InvalidURL, ImportError, OSError, ValueError) as error:
            raise EndpointError(
                f"no connection to {self.url} can be made: {error}; see the address, and HTTPS_PROXY, ALL_PROXY and "
                "SSL_CERT_FILE in the environment"
            ) from error


class Connection:
    """Connections to one server, for several threads. They are closed with the last reference to this.

    Args:
        endpoint: The server.
        most: Most requests under way at a time.
    """

    def __init__(self, endpoint: Endpoint, most: int) -> None:
        import httpx  # noqa: PLC0415 - an extra

        self.endpoint = endpoint
        self.pace = Pace(most)
        self._answered = False
        self._failures = 0
        self._patience = max(10, 2 * most)
        self._random = Random()  # noqa: S311 - spreads tries, is no secret
        self._lock = Lock()
        https = urlsplit(endpoint.url).scheme == "https"
        self._open_line = partial(
            Line,
            endpoint.url,
            {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {},
            context=httpx.create_ssl_context(trust_env=https),
            # Plain text goes to this machine alone, and so never to a proxy that the environment names.
            trust_env=https,
        )
        self._idle = _IdleLines()
        # A proxy that cannot be used is found now, not in the middle of a run.
        self._idle.put(self._open_line(endpoint.timeout))
        self.close = finalize(self, self._idle.close)

    @property
    def hosts(self) -> str:
        """The name of the machine."""
        return self.endpoint.host

    @property
    def at_once(self) -> int:
        """Most requests under way at a time."""
        return self.pace.most

    def models(self) -> list[str]:
        """Names of the models that the server offers; none where it does not say. Asked once, without patience.

        Raises:
            EndpointError: If nothing answers there.
        """
        try:
            answer = self._request("GET", MODELS)
        except TryError as error:
            if error.unreachable or error.slower:
                raise self._unreachable(error) from error
            return []
        try:
            listing: Any = read_answer(self._safe(decode(answer.content)), f"{self.endpoint.url}{MODELS}")
            return sorted(str(entry["id"]) for entry in listing["data"])
        except (JsonInputError, LookupError, TypeError):
            # Some keys may chat and not list, so that a refusal says nothing either.
            return []

    def chat(self, body: Mapping[str, Any]) -> Completion:
        """Complete a chat, trying again where that may help.

        Args:
            body: The request, as JSON.

        Raises:
            RequestError: If there is no answer in spite of all tries, or this request is refused.
            EndpointError: If the server will not answer anybody: a wrong key or address, a pause that is too long, or
                requests that fail one after another.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt  # noqa: PLC0415 - an extra

        again = Retrying(
            stop=stop_after_attempt(self.endpoint.tries),
            wait=self._wait,
            retry=retry_if_exception(lambda error: isinstance(error, TryError) and error.again),
            reraise=True,
        )
        try:
            completion = again(self._try, body)
        except TryError as error:
            if error.counts or error.status in HOPELESS:
                self._count(error)
            tries = again.statistics["attempt_number"]
            raise RequestError(str(error), status=error.status, tries=tries) from error
        self._answered, self._failures = True, 0
        return replace(completion, tries=again.statistics["attempt_number"])

    def _try(self, body: Mapping[str, Any]) -> Completion:
        entered, pause = self.pace.enter(), None
        outcome: Outcome = "failed"
        try:
            completion = self._send(body)
            outcome = "well"
            return completion
        except TryError as error:
            pause = error.wait
            if error.slower:
                outcome = "busy"
            raise
        finally:
            self.pace.leave(entered, outcome, pause)

    def _send(self, body: Mapping[str, Any]) -> Completion:
        try:
            # As ASCII, for half a character cannot be sent otherwise.
            answer = self._request("POST", CHATS, json.dumps(body).encode())
        except TryError as error:
            if error.unreachable and not self._answered:
                raise self._unreachable(error) from error
            if error.slower:
                # Not only at the last try: a server that hangs would be waited for tries x requests x timeout seconds.
                self._count(error)
            raise
        text = self._safe(decode(answer.content))
        if not answer.ok:
            raise self._failure(answer, text)
        try:
            return read_completion(read_answer(text, self.endpoint.url))
        except (JsonInputError, LookupError, TypeError, AttributeError) as error:
            raise TryError(f"the server's answer is no chat completion: {text!r:.300}") from error

    def _request(self, method: str, path: str, body: bytes | None = None) -> ServerAnswer:
        """Send a request over a line that nobody uses.

        Raises:
            TryError: If there is no whole answer.
        """
        line = self._idle.take() or self._open_line(self.endpoint.timeout)
        try:
            answer = line.send(method, path, body)
        except TryError as error:
            line.close()
            error.args = (self._safe(str(error)),)
            raise
        except BaseException:
            line.close()
            raise
        self._idle.put(line)
        return answer

    def _unreachable(self, error: TryError) -> EndpointError:
        return EndpointError(
            f"{self.endpoint.url} cannot be reached ({error}); does the server run, and is {self.endpoint.option} its "
            "base, as http://127.0.0.1:8000/v1?"
        )

    def _failure(self, answer: ServerAnswer, body: str) -> Exception:
        status, url = answer.status, self.endpoint.url
        message = f"HTTP {status} {self._safe(answer.reason)}: {body!r:.300}"
        if 300 <= status < 400 or (status in HOPELESS and not self._answered):
            hint = HOPELESS.get(status) or f"is {self.endpoint.option} the base, as .../v1, and the model's name right?"
            return EndpointError(f"{url}{CHATS} refuses with {message}; {hint}")
        if status in BUSY or status in AGAIN or (status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED):
            wait = retry_after(answer.headers)
            if wait is not None and wait > LONGEST_WAIT:
                return EndpointError(
                    f"{url} asks to be left alone for {wait:.0f} seconds with {message}; run the same command again "
                    "then, what it answered is kept"
                )
            return TryError(message, status=status, wait=wait, slower=status in BUSY)
        return TryError(message, status=status, again=False)

    def _count(self, error: TryError) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._patience:
                raise EndpointError(
                    f"{self.endpoint.url} failed {self._failures} times in a row, the last time with: {error}; "
                    "see to the server and run the same command again, what it answered is kept"
                ) from error

    def _wait(self, state: RetryCallState) -> float:
        # A pause that the server asked for is kept by everybody, where the next place is waited for.
        wait = min(self.endpoint.first_wait * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT)
        return wait * (1 - self._random.random() / 2)

    def _safe(self, text: str) -> str:
        key = self.endpoint.key
        return text if len(key) < SECRET else text.replace(json.dumps(key)[1:-1], "[key]").replace(key, "[key]")


class _IdleLines:
    """Lines that nobody uses now; once they are closed, those that come back are closed too."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._closed, self._lock = False, Lock()

    def take(self) -> Line | None:
        """The line used last, ``None`` where there is none."""
        with self._lock:
            return self._lines.pop() if self._lines else None

    def put(self, line: Line) -> None:
        """Give a line back."""
        with self._lock:
            if not self._closed:
                self._lines.append(line)
                return
        line.close()

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            self._closed = True
            lines, self._lines = self._lines, []
        for line in lines:
            line.close()


def find_endpoint(url: str, option: str) -> Endpoint:
    """A server at an address, with the key of the environment.

    Args:
        url: Its base address, e.g. ``"https://api.openai.com/v1"``.
        option: What the address is called where it was given.

    Raises:
        ValueError: If the address is none, holds a password or a query, or leaves this machine without TLS.
        EndpointError: If the key cannot be one.
    """
    parts = _parts(url, option)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{option} must hold no user, password or query; the key is read from {KEY}")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise ValueError(
            f"{option}: {parts.hostname} would be asked without TLS, and the key and the data sent in plain text; "
            "use https, or a tunnel to 127.0.0.1"
        )
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise EndpointError(f"{KEY} holds blanks, line breaks or special characters, which no key has; set it again")
    return Endpoint(url.rstrip("/").removesuffix(CHATS), option, key)


def _parts(url: str, option: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # Asking for the port is what checks it.
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ValueError(f"{option} is no web address; expected one such as https://api.openai.com/v1")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
