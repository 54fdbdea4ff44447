"""Asking a judge: any OpenAI-compatible server, over TLS, with patience for busy ones.

The key comes from the environment variable ``OPENAI_API_KEY`` alone. It goes into one header and nowhere else: what a
server says is searched for it before it is kept or shown.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from egobench.errors import JudgeError
from egobench.metrics.judge import JudgeReply, Messages, key_of

if TYPE_CHECKING:
    from httpx import Client, Response
    from tenacity import RetryCallState

KEY = "OPENAI_API_KEY"
"""The environment variable that holds the key."""

HOPELESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
"""Answers after which no other request would fare better."""

LONGEST_WAIT = 60.0
"""Seconds between two tries, whatever a server asks for."""

REQUESTS = 4
"""Under way at a time."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A server and the model on it that judges; made by :func:`find_judge`.

    Attributes:
        url: Where chats are completed.
        model: The model's name there.
        key: The key, ``""`` for none.
        timeout: Seconds until a try is given up.
        tries: Most tries of one request.
        first_wait: Seconds before the second try, doubled before each further one.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    tries: int = 5
    first_wait: float = 1.0

    def ask(self, chats: Sequence[Messages]) -> Generator[JudgeReply]:
        """Ask for verdicts, a few at a time.

        Args:
            chats: What to ask.

        Yields:
            One reply a chat, in order; a request that failed in spite of all tries says why.

        Raises:
            JudgeError: If the server will not answer anybody: wrong key, wrong address, or a missing package.
        """
        missing = [name for name in ("httpx", "tenacity") if find_spec(name) is None]
        if missing:
            raise JudgeError(f'a judge needs {", ".join(missing)}; pip install "egobench[judge]"')
        import httpx  # noqa: PLC0415 - an extra

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        # Plain text goes to this machine alone, and so never to a proxy that the environment names.
        encrypted = urlsplit(self.url).scheme == "https"
        pool = ThreadPoolExecutor(REQUESTS)
        with httpx.Client(headers=headers, timeout=self.timeout, trust_env=encrypted) as client:
            try:
                # One goes ahead alone, so that a wrong key is shown to a server once.
                yield from (self._ask(client, chat) for chat in chats[:1])
                yield from pool.map(lambda chat: self._ask(client, chat), chats[1:])
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(self, client: Client, chat: Messages) -> JudgeReply:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt  # noqa: PLC0415 - an extra

        tries = Retrying(
            stop=stop_after_attempt(self.tries),
            wait=self._wait,
            retry=retry_if_exception_type(_BusyError),
            reraise=True,
        )
        try:
            return JudgeReply(key_of(chat), reply=tries(self._try, client, chat))
        except (_BusyError, _RefusedError) as error:
            return JudgeReply(key_of(chat), error=self._safe(str(error)))

    def _try(self, client: Client, chat: Messages) -> str:
        import httpx  # noqa: PLC0415 - an extra

        try:
            response = client.post(self.url, json={"model": self.model, "messages": list(chat), "temperature": 0})
        except httpx.TimeoutException as error:
            raise _BusyError(f"no answer within {self.timeout:g} seconds") from error
        except httpx.HTTPError as error:
            raise _BusyError(f"{type(error).__name__}: {error}") from error
        if not response.is_success:
            raise self._failure(response)
        try:
            said: Any = response.json()["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise _BusyError(f"the server's answer is no chat completion: {response.text!r:.200}") from error
        return self._safe(said if isinstance(said, str) else "")

    def _failure(self, response: Response) -> Exception:
        status = response.status_code
        if status in HOPELESS or response.is_redirect:
            hint = f"; is {KEY} the right one?" if status in {401, 403} else "; is --judge-url the base, as .../v1?"
            return JudgeError(f"{self.url} refuses with HTTP {status} {response.reason_phrase}{hint}")
        told = f"HTTP {status} {response.reason_phrase}: {response.text!r:.200}"
        if status == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
            return _BusyError(told, _seconds(response.headers.get("Retry-After", "")))
        return _RefusedError(told)

    def _wait(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        asked = failed.wait if isinstance(failed, _BusyError) else None
        return min(self.first_wait * 2 ** (state.attempt_number - 1) if asked is None else asked, LONGEST_WAIT)

    def _safe(self, text: str) -> str:
        return text.replace(self.key, "[key]") if self.key else text


class _BusyError(Exception):
    """A try failed, and another one may not; ``wait`` is how many seconds the server asked for."""

    def __init__(self, told: str, wait: float | None = None) -> None:
        super().__init__(told)
        self.wait = wait


class _RefusedError(Exception):
    """A request that this server will not answer however often it is sent."""


def find_judge(url: str, model: str) -> Judge:
    """A judge at an address, with the key of the environment.

    Args:
        url: Base address of an OpenAI-compatible server, e.g. ``"https://api.openai.com/v1"``.
        model: The model's name there.

    Raises:
        ValueError: If the address is none, holds a password or a query, or leaves this machine without TLS.
        JudgeError: If the key cannot be one.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("--judge-url is no web address; expected one such as https://api.openai.com/v1")
    if parts.username or parts.password or parts.query:
        raise ValueError(f"--judge-url must hold no user, password or query; the key is read from {KEY}")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ValueError(
            f"--judge-url: {parts.hostname} would be asked without TLS, and the key and the data sent in plain text; "
            "use https, or a tunnel to 127.0.0.1"
        )
    key = os.environ.get(KEY, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise JudgeError(f"{KEY} holds blanks, line breaks or special characters, which no key has; set it again")
    base = url.rstrip("/")
    return Judge(base if base.endswith("/chat/completions") else f"{base}/chat/completions", model, key)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
