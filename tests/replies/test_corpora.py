"""Both corpora of replies, each reply read as a person reads it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

import pytest

from egobench.replies import read_reply

CORPORA: Final = ("corpus.jsonl", "corpus_second.jsonl")
LOST: Final = ("I do not think B is right; D is.", "I consider B to be the correct answer.")
"""Replies that name an option and are read as none, the known losses of the second corpus."""


def cases(name: str) -> list[dict[str, Any]]:
    text = resources.files("egobench.replies").joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    "case",
    [case for name in CORPORA for case in cases(name)],
    ids=lambda case: f"{case['outcome']}: {case['why']}",
)
def test_every_reply_is_read_as_a_person_reads_it(case: dict[str, Any]) -> None:
    read = {reply: read_reply(reply, case["options"]) for reply in case["replies"] if reply not in LOST}
    wrong = {
        reply: reading
        for reply, reading in read.items()
        if (reading.choice, reading.outcome) != (case["choice"], case["outcome"])
    }
    assert wrong == {}


def test_a_known_loss_is_read_as_no_answer() -> None:
    options = next(case["options"] for case in cases("corpus_second.jsonl") if LOST[0] in case["replies"])
    assert [read_reply(reply, options).outcome for reply in LOST] == ["unparsed", "unparsed"]


@pytest.mark.parametrize(("name", "count"), [("corpus.jsonl", 1_075), ("corpus_second.jsonl", 2_840)])
def test_a_corpus_is_large_and_every_case_is_complete(name: str, count: int) -> None:
    replies = [(reply, tuple(case["options"])) for case in cases(name) for reply in case["replies"]]
    assert len(replies) == len(set(replies)) == count
    for case in cases(name):
        assert case["why"]
        assert len(case["options"]) >= 2
        assert (case["choice"] is not None) == (case["outcome"] == "answered")
        assert case["choice"] is None or 0 <= case["choice"] < len(case["options"])
