"""Whatever a model writes is read without a crash and in a time that grows with its length at most."""

from __future__ import annotations

import json
from importlib import resources
from time import process_time
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from egobench.replies import read_reply
from egobench.replies.mentions import marked_reply
from egobench.replies.plain_text import plain

OPTIONS: Final = ("C opens the fridge", "C closes the door", "C", "no", "Move forward", "Turn left and move forward")
PIECES: Final = (
    *(
        "A",
        "B",
        "C",
        "D",
        "I",
        "(B)",
        "[A]",
        "b",
        "option B",
        "the second option",
        "Answer:",
        "The answer is",
        "答案",
        "是",
    ),
    *(
        "not",
        "n't",
        "if",
        "but",
        "so",
        "because",
        "or",
        "and",
        ",",
        ".",
        "?",
        "!",
        ";",
        ":",
        "-",
        "->",
        "...",
        "|",
        ">",
    ),
    *(
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "<|channel|>final<|message|>",
        "\\boxed{",
        "}",
        "$",
        "{",
        '"',
        "'",
    ),
    *(
        "final answer",
        '"answer": ',
        "yes",
        "no",
        "correct",
        "wrong",
        "is",
        "C opens the fridge",
        "Move forward",
        "left",
    ),
    *(
        "\n",
        "\t",
        " ",
        "\x08oxed{B}",
        "\u200b",
        "\ud800",
        "\U000f0000",
        "İ",
        "ﷺ",
        "10%",
        "0.5",
        "I cannot",
        "e.g.",
        "~~",
    ),
)
WRITTEN: Final = some.lists(some.sampled_from(PIECES) | some.text(max_size=4), max_size=40)
SHOWN: Final = some.lists(some.sampled_from(OPTIONS) | some.text(max_size=6), min_size=1, max_size=26)


def check(pieces: list[str], joint: str, options: list[str]) -> None:
    reply = joint.join(pieces)
    reading = read_reply(reply, options)
    assert (reading.choice is not None) == (reading.outcome == "answered")
    assert reading.choice is None or 0 <= reading.choice < len(options)
    assert read_reply(reply, options) == reading
    assert reading.rule


@given(WRITTEN, some.sampled_from(["", " "]), SHOWN)
def test_any_reply_has_a_reading(pieces: list[str], joint: str, options: list[str]) -> None:
    check(pieces, joint, options)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=20_000, deadline=None)
@given(WRITTEN, some.sampled_from(["", " "]), SHOWN)
def test_any_of_twenty_thousand_replies_has_a_reading(pieces: list[str], joint: str, options: list[str]) -> None:
    check(pieces, joint, options)


@given(WRITTEN, some.sampled_from(["", " "]))
def test_marking_mentions_keeps_the_text_around_them(pieces: list[str], joint: str) -> None:
    reply = plain(joint.join(pieces))
    marked = marked_reply(reply, [option.lower() for option in OPTIONS])
    for number, mention in enumerate(marked.mentions):
        assert marked.text.count(marked.character(number)) == 1
        assert 0 <= mention.start < mention.end <= len(reply)
    restored = marked.text
    for number, mention in enumerate(marked.mentions):
        restored = restored.replace(marked.character(number), reply[mention.start : mention.end])
    assert restored == reply


@pytest.mark.parametrize(
    "piece", [*PIECES, "C opens the fridge and ", "B is not ", "A B C D E ", "so the most ", "(A) "]
)
def test_a_hundred_kilobytes_of_anything_are_read_in_half_a_second(piece: str) -> None:
    reply = (piece + " ") * (100_000 // (len(piece) + 1))
    started = process_time()
    read_reply(reply, OPTIONS)
    assert process_time() - started < 0.5


def test_ten_thousand_letters_over_new_options_are_read_in_two_seconds() -> None:
    started = process_time()
    for number in range(10_000):
        options = [f"C picks up thing {number * 5 + position}" for position in range(5)]
        assert read_reply("ABCDE"[number % 5], options).choice == number % 5
    assert process_time() - started < 2


def test_five_hundred_chains_of_thought_over_new_options_are_read_in_five_seconds() -> None:
    started = process_time()
    for number in range(500):
        options = [f"C picks up thing {number * 5 + position}" for position in range(5)]
        listed = "".join(f"Option {'ABCDE'[at]}: {option}: this is not shown.\n" for at, option in enumerate(options))
        assert read_reply(f"{listed}The answer is {'ABCDE'[number % 5]}.", options).choice == number % 5
    assert process_time() - started < 5


def test_a_letter_in_the_place_of_another_is_read_as_that_one() -> None:
    """Where a reply of the second corpus has one letter, B, the same is claimed of D when it stands there."""
    text = resources.files("egobench.replies").joinpath("corpus_second.jsonl").read_text(encoding="utf-8")
    cases = [json.loads(line) for line in text.splitlines()]
    kitchen = ["C opens the fridge", "C closes the door", "C washes a cup", "C picks up a knife", "C walks away"]
    other = {1: 3, None: None}
    differing = [
        reply
        for case in cases
        if case["options"] == kitchen and case["choice"] in other
        for reply in case["replies"]
        if set(reply) & set("ABCDE") == {"B"} and reply.count("B") == 1 and "c closes" not in reply.lower()
        if read_reply(reply.replace("B", "D"), kitchen).choice != other[read_reply(reply, kitchen).choice]
    ]
    assert differing == []
