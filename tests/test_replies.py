"""Reading replies: the rules of PROTOCOL section 3, each with replies a person would read the same way."""

from __future__ import annotations

import pytest

from egobench.replies import read_reply

OPTIONS = ("C picks up the bottle", "C opens the fridge", "C washes a cup", "C washes a cup in the sink")


@pytest.mark.parametrize(
    "reply",
    [
        "B",
        "b",
        " (B) ",
        "(b)",
        "[B]",
        "B.",
        "B)",
        "**B**",
        "**B.**",
        "B: C opens the fridge",
        "(B) C opens the fridge",
        "B. C opens the fridge",
        "**B. C opens the fridge**",
        "C opens the fridge",
        "c opens the fridge.",
        "Answer: B",
        "answer is b.",
        "The correct option is B. C opens the fridge",
        "Based on the video, the best option is (B) C opens the fridge",
        "C picks things up all day, so the answer is B.",
        "Option B",
        "<think>C is in the kitchen. A cup is used.</think>B",
        "The person is standing. C opens the fridge, as one can see.",
        "（B）",  # noqa: RUF001 - full-width brackets
        "答案：B",  # noqa: RUF001 - full-width colon
    ],
)
def test_the_second_option_is_read(reply: str) -> None:
    assert read_reply(reply, OPTIONS).choice == 1


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("", "unparsed"),
        ("   ", "unparsed"),
        ("C is walking around the house.", "unparsed"),
        ("A person is in a kitchen.", "unparsed"),
        ("A or B", "unparsed"),
        ("The answer is A. No, the answer is B.", "unparsed"),
        ("<think>The answer is B", "unparsed"),
        ("E", "unparsed"),
        ("I cannot see the video.", "refused"),
        ("I'm sorry, but I am unable to tell from these frames.", "refused"),
        ("C picks up the bottle, or C opens the fridge.", "unparsed"),
    ],
)
def test_a_reply_that_names_no_single_option_is_never_an_answer(reply: str, outcome: str) -> None:
    reading = read_reply(reply, OPTIONS)
    assert (reading.choice, reading.outcome) == (None, outcome)


def test_an_option_that_contains_another_is_told_from_it() -> None:
    assert read_reply("I think C washes a cup in the sink here", OPTIONS).choice == 3
    assert read_reply("I think C washes a cup here", OPTIONS).choice == 2


def test_navigation_options_that_contain_each_other_are_matched_longest_first() -> None:
    options = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")
    assert read_reply("Turn right and move forward", options).choice == 3
    assert read_reply("It should move forward", options).choice == 1
    assert read_reply("It should take a left turn", options).choice is None
