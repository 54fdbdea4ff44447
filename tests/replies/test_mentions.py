"""Mentions of options and what is claimed of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

from egobench.replies.claims import claims
from egobench.replies.mentions import marked_reply
from egobench.replies.plain_text import normalised, plain

KITCHEN: Final = (
    "C opens the fridge",
    "C closes the door",
    "C washes a cup",
    "C picks up a knife",
    "C walks away",
)
NAVIGATION: Final = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")


def mentioned(reply: str, options: Sequence[str]) -> list[tuple[str, str]]:
    """Letters and kind of each mention."""
    mentions = marked_reply(plain(reply), [normalised(plain(option)) for option in options]).mentions
    return [("".join("ABCDE"[letter] for letter in mention.letters), mention.kind) for mention in mentions]


def claimed(reply: str, options: Sequence[str] = KITCHEN) -> list[tuple[str, str]]:
    """Letters of each mention and what is claimed of them, the bare letters that name nothing left out."""
    marked = marked_reply(plain(reply), [normalised(plain(option)) for option in options])
    return [
        ("".join("ABCDE"[letter] for letter in claim.letters), claim.kind)
        for claim in claims(marked)
        if claim.kind != "none"
    ]


@pytest.mark.parametrize(
    ("reply", "mentions"),
    [
        ("(B) or option C, not the first option", [("B", "sign"), ("C", "phrase"), ("A", "phrase")]),
        ("C closes the door, C sits", [("B", "words"), ("C", "weak")]),
        ("B. C closes the door", [("B", "sign")]),
        ("C closes the door (B)", [("B", "sign")]),
        ("B. C closes the d", [("B", "sign")]),
        ("B. C washes a cup", [("BC", "sign")]),
        ("B. C washes a c", [("BC", "sign")]),
        ("A woman and B walk", [("A", "weak"), ("B", "bare")]),
        ("The wearer (C) sits", [("C", "weak")]),
    ],
)
def test_a_mention_is_found_with_its_kind(reply: str, mentions: list[tuple[str, str]]) -> None:
    assert mentioned(reply, KITCHEN) == mentions


@pytest.mark.parametrize(
    ("reply", "mentions"),
    [
        ("Turn left and move forward", [("A", "words")]),
        ("(A) Move forward", [("AB", "sign")]),
        ("(A) Turn left", [("A", "sign")]),
        ("(D) Turn left and move forward", [("DA", "sign")]),
        ("Non-stop, unstoppable", []),
    ],
)
def test_the_longest_option_is_found_first(reply: str, mentions: list[tuple[str, str]]) -> None:
    assert mentioned(reply, NAVIGATION) == mentions


def test_words_of_two_equal_options_name_both() -> None:
    assert mentioned("take cup", ("take cup", "wash cup", "take cup.")) == [("AC", "words")]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("The answer is B, not A.", [("B", "chosen"), ("A", "turned down")]),
        ("If it moved, A; as it does not, so B.", [("A", "supposed"), ("B", "chosen")]),
        ("Is it A? No, B.", [("A", "asked"), ("B", "chosen")]),
        ("It could be A or (B).", [("A", "weighed"), ("B", "weighed")]),
        ("A, B, C, D, E. I choose B.", [*((letter, "listed") for letter in "ABCDE"), ("B", "chosen")]),
        ("(A) No. (B) Yes.", [("A", "turned down"), ("B", "chosen")]),
        ("A. 10% B. 90%", [("A", "weighed"), ("B", "weighed")]),
        ("The answer is B. No, wait.", [("B", "taken back")]),
        ("In the end C closes the door.", [("B", "named")]),
        ("Please explain option B.", []),
    ],
)
def test_what_is_claimed_of_each_mention(reply: str, expected: list[tuple[str, str]]) -> None:
    assert claimed(reply) == expected
