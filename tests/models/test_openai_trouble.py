"""openai: what becomes of its requests when a server is slow, busy, broken or gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.server.pace import Pace, retry_after
from tests.models.able_server import KEY, Able, loaded, talking
from tests.models.prompts import ask
from tests.scripted_server import CUT, HANG, Answer, Server, chat

pytest.importorskip("httpx")
pytest.importorskip("tenacity")

BUSY: Answer = (429, {"Retry-After": "0"}, b"slow down")


def troubled(bad: Sequence[Answer], **options: Any) -> tuple[Any, Server]:
    """The reply to one prompt whose first requests go wrong, and the server."""
    able, troubles = Able(), list(bad)
    with talking(able) as server:
        model = loaded(server, choice="no", **options)
        server.says = lambda number: troubles.pop(0) if troubles else able(server.asked[number])
        server.asked.clear()
        return model.generate([ask()])[0], server


@pytest.mark.parametrize(
    "bad",
    [
        (HANG, {}, b""),
        (CUT, {}, chat("(A)")[2]),
        (500, {}, b"oops"),
        BUSY,
        (429, {"Retry-After": "soon"}, b"slow down"),
        (429, {"Retry-After": "-5"}, b"slow down"),
        (429, {"Retry-After": "nan"}, b"slow down"),
        (429, {"Retry-After": "Sat, 21 Nov 2026 16:00:00 +99999999999999"}, b"slow down"),
        (200, {}, b'{"error": {"message": "no"}}'),
        (200, {}, b'{"choices": [], "error": null}'),
        (200, {}, b'{"choices": [{"message": null, "finish_reason": "stop"}]}'),
        (200, {}, b'{"choices": [{"message": {"content": ["(A)"]}}]}'),
        chat("(A)", error={"code": 502, "message": "the provider is gone"}),
        chat("", finish_reason="abort"),
        (200, {}, chat("(A)")[2][:-9]),
    ],
    ids=[
        *("slow", "dropped", "500", "429", "a word", "before now", "no number", "a time zone of years", "an error"),
        *("no choices", "no message", "no part", "an error in a choice", "aborted", "cut short"),
    ],
)
def test_a_request_that_fails_is_sent_again(bad: Answer) -> None:
    reply, server = troubled([bad], timeout=0.5 if bad[0] == HANG else 10)
    assert (reply.text, reply.error, reply.tries) == ("(B)", None, 2)
    assert len(server.asked) == 2
    assert server.asked[0] == server.asked[1]


def test_a_request_that_fails_for_good_is_an_error_and_never_an_answer() -> None:
    reply, server = troubled([(500, {}, b"the answer is (A)")] * 3)
    assert (reply.text, reply.tries, len(server.asked)) == ("", 3, 3)
    assert reply.error == "HTTP 500 Internal Server Error: 'the answer is (A)'"


def test_a_request_that_is_refused_is_not_sent_again() -> None:
    reply, server = troubled([(400, {}, b"longer than the context")])
    assert (reply.text, len(server.asked)) == ("", 1)
    assert reply.error == "HTTP 400 Bad Request: 'longer than the context'"


@pytest.mark.parametrize("date", [False, True])
def test_nobody_sends_anything_before_the_time_that_a_server_asks_for(date: bool) -> None:
    able, begun = Able(), list[float]()
    until = datetime.now(UTC) + timedelta(seconds=3)
    busy = (429, {"Retry-After": format_datetime(until, usegmt=True) if date else "1"}, b"")
    with talking(able) as server:
        model = loaded(server, choice="no")

        def says(number: int) -> Answer:
            begun.append(monotonic())
            return busy if len(begun) == 1 else able(server.asked[number])

        server.says = says
        model.generate([ask(seed=0)])
        model.generate([ask(seed=seed) for seed in range(4)])
    # A date has whole seconds, so that up to one of the three is lost to rounding, and some to the probe before.
    assert begun[1] - begun[0] >= (0.5 if date else 0.95)


def test_a_server_that_asks_for_an_hour_is_left_alone() -> None:
    with pytest.raises(ModelError, match=r"asks to be left alone for 3600 seconds.*quota.*run the same command again"):
        troubled([(429, {"Retry-After": "3600"}, b"quota")])


def test_a_server_that_hangs_is_given_up_before_every_request_has_waited_for_every_try() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, choice="no", concurrency=1, timeout=0.05, tries=100)
        server.asked.clear()
        server.says = lambda _: (HANG, {}, b"")
        with pytest.raises(ModelError, match=r"failed 10 times in a row, the last time with: no answer within 0.05 s"):
            model.generate([ask(count=0)])
        assert len(server.asked) == 10


def test_a_server_that_refuses_one_request_as_it_refuses_a_wrong_key_ends_nothing() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, choice="no")
        server.says = lambda number: (403, {}, b"flagged") if number % 2 else able(server.asked[number])
        replies = [model.generate([ask(seed=seed, count=0)])[0] for seed in range(30)]
        assert [reply.error for reply in replies if reply.error] == ["HTTP 403 Forbidden: 'flagged'"] * 15
        assert {reply.tries for reply in replies} == {1}
        server.says = lambda _: (403, {}, b"key revoked")
        with pytest.raises(ModelError, match=r"times in a row, the last time with: HTTP 403 Forbidden: 'key revoked'"):
            model.generate([ask(seed=seed, count=0) for seed in range(100)])


def test_requests_that_are_refused_one_after_another_end_nothing() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, choice="no", concurrency=2)
        server.says = lambda _: (400, {}, b"longer than the context")
        replies = model.generate([ask(seed=seed, count=0) for seed in range(30)])
    assert {reply.error for reply in replies} == {"HTTP 400 Bad Request: 'longer than the context'"}


def test_a_server_that_is_gone_ends_the_work() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, tries=1)
        server.says = lambda _: (500, {}, b"")
        with pytest.raises(ModelError, match=r"failed \d+ times in a row, the last time with: HTTP 500.*is kept"):
            for seed in range(40):
                model.generate([ask(seed=seed, count=0)])
        assert len(server.asked) < 50


def test_a_key_that_a_server_repeats_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with talking(Able(says=lambda _: f"B, and {KEY}")) as server:
        model = loaded(server)
        assert model.generate([ask()])[0].text == "B, and [key]"
    assert KEY not in repr(model)


def test_half_a_character_is_kept_as_a_question_mark() -> None:
    reply, _ = troubled([chat("(B) \ud83d")])
    assert reply.text == "(B) ?"


@pytest.mark.parametrize("key", ["B", "EMPTY", "0"])
def test_a_word_in_the_place_of_a_key_is_left_in_replies(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with talking(Able(says=lambda _: "(B), 0 EMPTY")) as server:
        assert loaded(server).generate([ask()])[0].text == "(B), 0 EMPTY"
    assert server.authorizations[-1] == f"Bearer {key}"


def test_no_more_requests_are_under_way_than_allowed() -> None:
    able = Able()
    with talking(able) as server:
        model = loaded(server, concurrency=3)
        server.most = 0
        assert [reply.text for reply in model.generate([ask(seed=seed) for seed in range(12)])] == ["(B)"] * 12
        assert server.most <= 3


def test_tokens_have_a_price() -> None:
    with talking(Able()) as server:
        reply = loaded(server, price_in=2.0, price_out=10).generate([ask()])[0]
        assert loaded(server, price_in=2.0).generate([ask()])[0].cost is None
    # By hand: 40 + 16 x 7 tokens read and 3 written.
    assert (reply.prompt_tokens, reply.reply_tokens) == (152, 3)
    assert reply.cost == pytest.approx((152 * 2 + 3 * 10) / 1e6)


# --- Pace ------------------------------------------------------------------------------------------------------------


def test_the_pace_doubles_at_first_is_halved_once_a_busy_round_and_then_grows_by_one_a_round() -> None:
    pace = Pace(64)
    for _ in range(12):
        pace.leave(pace.enter(), "well")
    assert pace.places == 4 + 12
    entered = [pace.enter() for _ in range(16)]
    for each in entered:
        pace.leave(each, "busy")
    assert pace.places == 8
    for _ in range(8):
        pace.leave(pace.enter(), "failed")
    assert pace.places == 8
    # By hand: 8 + 1/8 + 1/8.125 + ... is still below 9 after eight answers and above it after nine.
    for expected in (8, 9):
        for _ in range(8 if expected == 8 else 1):
            pace.leave(pace.enter(), "well")
        assert pace.places == expected


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-5", 0.0),
        # By hand: half a minute after the answer's own date, whatever the clock here says.
        ("Thu, 01 Jan 1970 00:00:30 GMT", 30.0),
        ("Wednesday, 31-Dec-69 23:59:00 GMT", 0.0),
        *(
            (nonsense, None)
            for nonsense in ("", "soon", "nan", "inf", "1e999", "30 Feb", "Thu, 01 Jan 99999 00:00:00 GMT")
        ),
    ],
)
def test_a_pause_is_asked_for_in_seconds_or_by_a_date(asked: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": asked, "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}) == seconds


def test_the_pace_never_stops_and_never_passes_the_most() -> None:
    pace = Pace(5)
    for _ in range(9):
        pace.leave(pace.enter(), "well")
    assert pace.places == 5
    for _ in range(9):
        pace.leave(pace.enter(), "busy")
    assert pace.places == 1
