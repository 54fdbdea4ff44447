"""Answers that no server should give: endless, packed, misshapen, a byte at a time. Each ends in one line, in time."""

from __future__ import annotations

import gc
import gzip
import json
import socket
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest

from egobench.errors import EndpointError, JsonInputError, ModelError, RequestError
from egobench.plugins import load_model
from egobench.server.endpoint import Connection, find_endpoint
from egobench.server.json_answer import read_answer
from tests.models.able_server import Able, loaded, talking
from tests.models.prompts import ask
from tests.scripted_server import chat

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

Bytes = Callable[[], Iterator[bytes]]


@contextmanager
def saying(parts: Bytes, served: list[int] | None = None) -> Generator[str]:
    """A server that answers every request with these bytes, as long as somebody listens; its base address.

    Args:
        parts: The bytes, some at a time.
        served: Gets the number of the connection that each request came over, from 1.
    """
    over, threads = Event(), list[Thread]()

    def answer(connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(1 << 16):
                head, _, body = request.partition(b"\r\n\r\n")
                length = next(
                    (int(line[16:]) for line in head.split(b"\r\n") if line.lower()[:15] == b"content-length:"), 0
                )
                while len(body) < length:
                    body += connection.recv(1 << 16)
                if served is not None:
                    served.append(number)
                for part in parts():
                    if over.is_set():
                        return
                    connection.sendall(part)

    def serve(listener: socket.socket) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(5)
                threads.append(Thread(target=answer, args=(connection, len(threads) + 1), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = Thread(target=serve, args=(listener,))
        server.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            over.set()
            for thread in (server, *threads):
                thread.join(5)


def head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


def whole(content: bytes, *headers: str) -> Bytes:
    """An answer all at once."""
    return lambda: iter([head(f"Content-Length: {len(content)}", *headers) + content])


def connected(url: str, **options: Any) -> Connection:
    return replace(
        find_endpoint(url, "-o base_url"), **{"timeout": 1.0, "tries": 1, "first_wait": 0.01, **options}
    ).connect(2)


def refusal(parts: Bytes, **options: Any) -> str:
    """What is said of such an answer."""
    with saying(parts) as url:
        connection = connected(url, **options)
        with pytest.raises(RequestError) as raised:
            connection.chat({"messages": []})
        connection.close()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def body_a_byte_at_a_time() -> Iterator[bytes]:
    yield head("Content-Length: 1000")
    while True:
        sleep(0.2)
        yield b" "


def headers_a_byte_at_a_time() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while True:
        sleep(0.2)
        yield b"x"


@pytest.mark.parametrize("parts", [body_a_byte_at_a_time, headers_a_byte_at_a_time])
def test_an_answer_a_byte_at_a_time_is_given_up_in_time(parts: Bytes) -> None:
    started = monotonic()
    assert refusal(parts) == "no answer within 1 seconds"
    assert monotonic() - started < 4


def test_a_connection_is_used_again_after_an_answer_in_time_and_not_after_a_late_one() -> None:
    answers = [chat("first")[2], b"", chat("third")[2], chat("fourth")[2]]

    def parts() -> Iterator[bytes]:
        content = answers.pop(0)
        if not content:
            yield from body_a_byte_at_a_time()
        yield head(f"Content-Length: {len(content)}") + content

    served: list[int] = []
    with saying(parts, served) as url:
        connection = connected(url, timeout=1.0)
        assert connection.chat({}).text == "first"
        with pytest.raises(RequestError, match="no answer within 1 seconds"):
            connection.chat({})
        assert [connection.chat({}).text for _ in range(2)] == ["third", "fourth"]
        connection.close()
    # The late one was closed, and the next two answers came over another.
    assert served == [1, 1, 2, 2]


def test_a_line_under_way_is_closed_when_it_comes_back_to_a_closed_connection() -> None:
    asked, close = Event(), Event()

    def parts() -> Iterator[bytes]:
        asked.set()
        close.wait(10)
        content = chat("(B)")[2]
        yield head(f"Content-Length: {len(content)}") + content

    with saying(parts) as url:
        connection = connected(url, timeout=20.0)
        texts: list[str] = []
        thread = Thread(target=lambda asking: texts.append(asking.chat({}).text), args=(connection,))
        thread.start()
        asked.wait(10)
        connection.close()
        close.set()
        thread.join(10)
        del connection
        # What is left open would be a warning, and so an error, here.
        gc.collect()
    assert texts == ["(B)"]


def endless() -> Iterator[bytes]:
    yield head("Transfer-Encoding: chunked")
    part = b"x" * (1 << 20)
    while True:
        yield f"{len(part):x}\r\n".encode() + part + b"\r\n"


def test_an_endless_answer_is_left_after_32_mebibytes() -> None:
    assert refusal(endless, timeout=60.0) == "the answer is longer than 32 MiB"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (1 << 30), 9)
    assert refusal(whole(bomb, "Content-Encoding: gzip"), timeout=60.0) == "the answer is longer than 32 MiB"
    twice = gzip.compress(bomb)
    assert "is packed by 'gzip, gzip', which was not asked for" in refusal(
        whole(twice, "Content-Encoding: gzip, gzip"), timeout=60.0
    )


@pytest.mark.parametrize(
    ("packing", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_an_answer_that_is_packed_though_nobody_asked_is_read(packing: str, pack: Callable[[bytes], bytes]) -> None:
    with saying(whole(pack(chat("(B)")[2]), f"Content-Encoding: {packing}")) as url:
        connection = connected(url)
        assert connection.chat({}).text == "(B)"
        connection.close()


def test_what_is_no_packing_is_said_so() -> None:
    assert "the answer cannot be unpacked" in refusal(whole(b"{}", "Content-Encoding: gzip"))


@pytest.mark.parametrize("charset", ["utf-16", "zlib_codec", "hex", "rot13", "nonsense", "utf-7", "\xff"])
def test_what_a_header_calls_the_encoding_does_not_matter(charset: str) -> None:
    with saying(whole(chat("(B) caf\xe9")[2], f"Content-Type: application/json; charset={charset}")) as url:
        connection = connected(url)
        assert connection.chat({}).text == "(B) caf\xe9"
        connection.close()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_in_any_unicode_is_read(encoding: str) -> None:
    with saying(whole(chat("(B) \u00e9")[2].decode().encode(encoding))) as url:
        connection = connected(url)
        assert connection.chat({}).text == "(B) \u00e9"
        connection.close()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 1_000_000,
        b'{"choices": ' * 100_000,
        b'{"choices": ' + b"9" * 100_000 + b"}",
        b'{"choices": [{"message": {"content": "A"}}], "usage": ' + b"[" * 100 + b"]" * 100 + b"}",
        b"\xff\xfe\xfa",
        b"",
        b"null",
        b'{"choices": {"0": 1}}',
        b'{"choices": [{"message": "words"}]}',
        b'{"choices": [{"message": {"content": [1]}}]}',
    ],
    ids=["lists", "objects", "digits", "beside", "no text", "nothing", "null", "an object", "a word", "a number"],
)
def test_what_is_no_chat_completion_is_said_so(content: bytes) -> None:
    assert "the server's answer is no chat completion: " in refusal(whole(content), timeout=20.0)


def test_half_characters_are_question_marks_wherever_they_stand() -> None:
    answer = {
        "model": "toy\ud83d",
        "choices": [
            {
                "message": {"content": "(B) \udc00"},
                "finish_reason": "st\ud83dop",
                "logprobs": {"content": [{"token": "\ud83d", "top_logprobs": []}]},
            }
        ],
    }
    with saying(whole(json.dumps(answer).encode())) as url:
        connection = connected(url)
        found = connection.chat({"messages": [{"role": "user", "content": "half \ud83d"}]})
        connection.close()
    assert (found.text, found.finish, found.model) == ("(B) ?", "st?op", "toy?")
    assert found.logprobs == {"content": [{"token": "?", "top_logprobs": []}]}


def test_a_part_without_words_leaves_the_others() -> None:
    parts = [{"type": "text", "text": None}, {"type": "text", "text": "(B)"}, {"type": "image"}, {"text": 3}]
    with saying(whole(json.dumps({"choices": [{"message": {"content": parts}}]}).encode())) as url:
        connection = connected(url)
        assert connection.chat({}).text == "(B)"
        connection.close()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 102 + "]" * 102, "nested deeper than 100"),
        ("[" * 100_000, "nested deeper than 100"),
        (str(2**63), "a whole number of about 19 digits; expected one of 64 bits"),
        ("1" * 5000, "a number of too many digits"),
        ('{"a": 1, "a": 2}', "the key 'a' comes twice"),
    ],
)
def test_json_has_limits(text: str, problem: str) -> None:
    with pytest.raises(JsonInputError, match=problem):
        read_answer(text, "the answer")


def test_json_within_the_limits_is_read() -> None:
    assert read_answer("[" * 100 + "]" * 100, "the answer")
    # Both halves are a character, one alone is none, and behind an escaped backslash there is no escape.
    text = r'{"\ud83d": "\ud83d\ude00", "\ude00\ud83d": "\\ud83d", "\n": -Infinity}'
    assert read_answer(text, "the answer") == {"?": "\N{GRINNING FACE}", "??": "\\ud83d", "\n": float("-inf")}


# --- Refused connections and cut replies -----------------------------------------------------------------------------


def test_a_refused_connection_is_one_line_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    started = monotonic()
    connection = connected(url, tries=6, first_wait=1.0)
    with pytest.raises(
        EndpointError, match=r"cannot be reached \(ConnectError: .*refused.*does the server run"
    ) as raised:
        connection.chat({})
    assert not isinstance(raised.value, RequestError)
    with pytest.raises(ModelError, match="cannot be reached"):
        load_model("openai", base_url=url, model="m")
    assert monotonic() - started < 3
    assert "\n" not in str(raised.value)


def test_a_server_that_answered_before_is_tried_again() -> None:
    with saying(whole(chat("(B)")[2])) as url:
        connection = connected(url, tries=2)
        assert connection.chat({}).text == "(B)"
    with pytest.raises(RequestError) as raised:
        connection.chat({})
    connection.close()
    assert raised.value.tries == 2


def test_a_reply_keeps_why_it_ends() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, choice="no")
        assert model.generate([ask()])[0].finish_reason == "stop"
        server.says = lambda _: chat("The wearer of the camera", finish_reason="length")
        reply = model.generate([ask()])[0]
    assert (reply.text, reply.finish_reason) == ("The wearer of the camera", "length")
