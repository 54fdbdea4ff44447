"""An OpenAI-compatible server: its address, its key, and chats with it, with patience while it is busy.

The key comes from the environment variable ``OPENAI_API_KEY`` alone. It goes into one header and nowhere else: what a
server says is searched for it before it is kept or shown.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.util import find_spec
from ipaddress import ip_address
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import finalize

from egobench.errors import EndpointError, RequestError
from egobench.pace import Outcome, Pace

if TYPE_CHECKING:
    from httpx import Response
    from tenacity import RetryCallState

KEY = "OPENAI_API_KEY"
"""The environment variable that holds the key."""

CHATS = "/chat/completions"
"""Where chats are completed, below the base address."""

HOPELESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
"""Answers after which no other request would fare better."""

BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT, 529}
"""Answers of a server that wants fewer requests at a time; 529 is Anthropic's."""

AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
"""Refusals that another try may not meet."""

LONGEST_WAIT = 300.0
"""Seconds between two tries at most; a server that asks for more gets no second one."""

CONNECT_SECONDS = 10.0
"""Longest time to connect."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server answered to a chat.

    Attributes:
        text: The words; ``""`` for none.
        finish: Why they end: ``"stop"``, ``"length"``, ...
        logprobs: The entry ``logprobs`` as it came; ``None`` where there is none.
        model: The model's name as the server gives it.
        prompt_tokens: Tokens read, where the server says so.
        reply_tokens: Tokens written, where it says so.
        tries: How often the request was sent.
        thought: Whether thoughts came before the words.
    """

    text: str
    finish: str
    logprobs: Any
    model: str
    prompt_tokens: int | None
    reply_tokens: int | None
    tries: int
    thought: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server; made by :func:`find_endpoint`.

    Attributes:
        url: Its base address, as ``https://.../v1``.
        option: What the address is called where it was given, for messages.
        key: The key, ``""`` for none.
        timeout: Seconds without a byte until a try is given up.
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
            EndpointError: If a package is missing.
        """
        missing = [name for name in ("httpx", "tenacity") if find_spec(name) is None]
        if missing:
            raise EndpointError(f'asking a server needs {", ".join(missing)}; pip install "egobench[openai]"')
        return Connection(self, most)


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
        self._failures = 0
        self._patience = max(10, 2 * most)
        self._random = Random()  # noqa: S311 - spreads tries, is no secret
        self._lock = Lock()
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {},
            timeout=httpx.Timeout(endpoint.timeout, connect=min(endpoint.timeout, CONNECT_SECONDS)),
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
            # Plain text goes to this machine alone, and so never to a proxy that the environment names.
            trust_env=urlsplit(endpoint.url).scheme == "https",
        )
        self.close = finalize(self, self._client.close)

    def models(self) -> list[str]:
        """Names of the models that the server offers; none where it does not say. Asked once, without patience.

        Raises:
            EndpointError: If nothing answers there, or the key is refused.
        """
        import httpx  # noqa: PLC0415 - an extra

        try:
            response = self._client.get(f"{self.endpoint.url}/models")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise EndpointError(
                f"{self.endpoint.url} cannot be reached ({self._told(error)}); does the server run, and is "
                f"{self.endpoint.option} its base, as http://127.0.0.1:8000/v1?"
            ) from error
        except httpx.HTTPError:
            return []
        if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise self._failure(response)
        try:
            return sorted(str(entry["id"]) for entry in json.loads(self._safe(response.text))["data"])
        except (ValueError, LookupError, TypeError):
            return []

    def chat(self, body: Mapping[str, Any]) -> Completion:
        """Complete a chat, trying again where that may help.

        Args:
            body: The request, as JSON.

        Raises:
            RequestError: If there is no answer in spite of all tries, or this server will never answer it.
            EndpointError: If the server will not answer anybody: a wrong key or address, or all requests fail.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt  # noqa: PLC0415 - an extra

        again = Retrying(
            stop=stop_after_attempt(self.endpoint.tries),
            wait=self._wait,
            retry=retry_if_exception_type(_BusyError),
            reraise=True,
        )
        tried = 0
        try:
            for attempt in again:
                with attempt:
                    tried = attempt.retry_state.attempt_number
                    found = self._try(body, tried)
                    self._failures = 0
                    return found
        except RequestError as error:
            error.tries = tried
            raise
        except _BusyError as error:
            failed = RequestError(str(error), status=error.status, tries=tried)
            self._count(failed)
            raise failed from error
        raise RequestError("a request needs at least one try")

    def _try(self, body: Mapping[str, Any], tries: int) -> Completion:
        entered, pause = self.pace.enter(), None
        outcome: Outcome = "failed"
        try:
            found = self._send(body, tries)
            outcome = "well"
            return found
        except _BusyError as error:
            pause = error.wait
            if error.slower:
                outcome = "busy"
            raise
        finally:
            self.pace.leave(entered, outcome, pause)

    def _send(self, body: Mapping[str, Any], tries: int) -> Completion:
        import httpx  # noqa: PLC0415 - an extra

        try:
            response = self._client.post(f"{self.endpoint.url}{CHATS}", json=body)
        except httpx.TimeoutException as error:
            raise _BusyError(f"no answer within {self.endpoint.timeout:g} seconds", slower=True) from error
        except httpx.HTTPError as error:
            raise _BusyError(self._told(error)) from error
        if not response.is_success:
            raise self._failure(response)
        told = self._safe(response.text)
        try:
            return _completion(json.loads(told), tries)
        except (ValueError, LookupError, TypeError) as error:
            raise _BusyError(f"the server's answer is no chat completion: {told!r:.200}") from error

    def _failure(self, response: Response) -> Exception:
        status = response.status_code
        told = f"HTTP {status} {response.reason_phrase}: {self._safe(response.text)!r:.300}"
        if status in HOPELESS or response.is_redirect:
            option = self.endpoint.option
            hint = f"is {KEY} the right one?" if status in {401, 403} else f"is {option} the base, as .../v1?"
            return EndpointError(f"{response.url} refuses with {told}; {hint}")
        if status in BUSY or status in AGAIN or (response.is_server_error and status != HTTPStatus.NOT_IMPLEMENTED):
            wait = _seconds(response.headers.get("Retry-After", ""))
            if wait is None or wait <= LONGEST_WAIT:
                return _BusyError(told, status=status, wait=wait, slower=status in BUSY)
            told += f"; it asks to wait for {wait:.0f} seconds"
        return RequestError(told, status=status)

    def _count(self, failed: RequestError) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._patience:
                raise EndpointError(
                    f"{self.endpoint.url} failed {self._failures} times in a row, the last time with: {failed}; "
                    "see to the server and run the same command again, what it answered is kept"
                ) from failed

    def _wait(self, state: RetryCallState) -> float:
        # A pause that the server asked for is kept by everybody, where the next place is waited for.
        wait = min(self.endpoint.first_wait * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT)
        return wait * (1 - self._random.random() / 2)

    def _told(self, error: Exception) -> str:
        return self._safe(f"{type(error).__name__}: {error}")

    def _safe(self, text: str) -> str:
        key = self.endpoint.key
        return text.replace(json.dumps(key)[1:-1], "[key]").replace(key, "[key]") if key else text


class _BusyError(Exception):
    """A try failed, and another one may not.

    Attributes:
        status: The HTTP status, ``None`` where there was none.
        wait: How many seconds the server asked for.
        slower: Whether it wants fewer requests at a time.
    """

    def __init__(
        self, told: str, *, status: int | None = None, wait: float | None = None, slower: bool = False
    ) -> None:
        super().__init__(told)
        self.status, self.wait, self.slower = status, wait, slower


def find_endpoint(url: str, option: str) -> Endpoint:
    """A server at an address, with the key of the environment.

    Args:
        url: Its base address, e.g. ``"https://api.openai.com/v1"``.
        option: What the address is called where it was given.

    Raises:
        ValueError: If the address is none, holds a password or a query, or leaves this machine without TLS.
        EndpointError: If the key cannot be one.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{option} is no web address; expected one such as https://api.openai.com/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError(f"{option} must hold no user, password or query; the key is read from {KEY}")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ValueError(
            f"{option}: {parts.hostname} would be asked without TLS, and the key and the data sent in plain text; "
            "use https, or a tunnel to 127.0.0.1"
        )
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise EndpointError(f"{KEY} holds blanks, line breaks or special characters, which no key has; set it again")
    return Endpoint(url.rstrip("/").removesuffix(CHATS), option, key)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _completion(answer: Any, tries: int) -> Completion:
    """What an answer says; anything but a chat completion raises ``LookupError`` or ``TypeError``."""
    choice = answer["choices"][0]
    message, usage = choice["message"], answer.get("usage") or {}
    said = message.get("content")
    if isinstance(said, list):
        said = "".join(part.get("text", "") for part in said)
    # A refusal in words has a place of its own there.
    text = said or message.get("refusal") or ""
    return Completion(
        text=text if isinstance(text, str) else "",
        finish=str(choice.get("finish_reason")),
        logprobs=choice.get("logprobs"),
        model=str(answer.get("model") or ""),
        prompt_tokens=_whole(usage.get("prompt_tokens")),
        reply_tokens=_whole(usage.get("completion_tokens")),
        tries=tries,
        thought=bool(message.get("reasoning_content") or message.get("reasoning")) or "<think>" in str(text),
    )


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _seconds(retry_after: str) -> float | None:
    """The header ``Retry-After``, in seconds or as a date (RFC 9110, 10.2.3); ``None`` for neither."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
