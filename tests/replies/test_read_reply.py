"""Reading replies: the rules of PROTOCOL section 3, each with replies a person would read the same way."""

from __future__ import annotations

import ast
from pathlib import Path
from time import process_time

import pytest

import egobench
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


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("<think>" * 20_000, None),
        ("</think>" + "<think>" * 20_000, None),
        ("A, " * 30_000, 0),
        ("A, B, " * 15_000, None),
        ("B    " * 20_000 + "x", None),
        ("not " * 30_000, None),
        ("\n" * 100_000, None),
        ("C opens the fridge " * 5_000, 1),
        ("\\boxed{" * 20_000, None),
        ("a" + "_" * 100_000 + "x", None),
    ],
    ids=lambda value: str(value)[:12].strip() or "lines",
)
def test_a_reply_that_never_ends_is_read_in_less_than_a_second(reply: str, choice: int | None) -> None:
    started = process_time()
    assert read_reply(reply, OPTIONS).choice == choice
    assert process_time() - started < 1


KITCHEN = ("C opens the fridge", "C closes the door", "C washes a cup", "C picks up a knife", "C walks away")
NAVIGATION = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")
TEN = (
    *("C picks up an onion", "C peels a carrot", "C washes his hands", "C opens a drawer", "C turns on the tap"),
    *("C stirs the pot", "C wipes the table", "C moves a plate", "C cuts the onion", "C drops a spoon"),
)


@pytest.mark.parametrize(
    ("reply", "options"),
    [
        ("C, with his left hand, opens the fridge.", KITCHEN),
        ("I, as the camera wearer, cut the onion.", TEN),
        ("The answer cannot be B.", KITCHEN),
        ("I don't think the answer is B.", KITCHEN),
        ("A. 10% B. 90%", KITCHEN),
        ("A. No wait, B.", KITCHEN),
        ("A. Correction: B.", KITCHEN),
        ("If A then B", KITCHEN),
        ("Could you provide options A, B?", KITCHEN),
        ("(A) Move forward", NAVIGATION),
        ("(D) Turn left and move forward", NAVIGATION),
        ("Turn left, then move forward", NAVIGATION),
    ],
)
def test_text_that_names_no_single_option_does_not_become_one(reply: str, options: tuple[str, ...]) -> None:
    assert read_reply(reply, options).outcome == "unparsed"


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("If he took the bottle, the answer would be A. He opens the fridge, so B.", 1),
        ("(A) No. (B) Yes. (C) No. (D) No. (E) No.", 1),
        ("B? No, D.", 3),
        ("Option B is tempting. Option D is what happens.", 3),
        ("A, B, C, D, E. I choose B.", 1),
        ("A. No wait. Final answer: B", 1),
        ("回答：B", 1),  # noqa: RUF001 - full-width colon
        ("Svar: B", 1),
        ("Odpowiedź: B", 1),
        ("Output: B", 1),
        ("Select B.", 1),
        ("\x08oxed{B}", 1),
        ("<seed:think>A</seed:think>B", 1),
        ("<|START_THINKING|>A<|END_THINKING|>B", 1),
    ],
)
def test_the_one_option_that_is_chosen_is_read(reply: str, choice: int) -> None:
    assert read_reply(reply, KITCHEN).choice == choice


def test_a_letter_with_the_beginning_of_its_option_is_cut_off() -> None:
    assert read_reply("(A) Turn left and", NAVIGATION).choice == 0
    assert read_reply("(D) Turn right", NAVIGATION).choice == 3


def test_an_option_that_is_a_question_or_a_letter_is_read() -> None:
    questions = ("Is the door open?", "Is the fridge open?", "Who is there?")
    assert read_reply("B. Is the fridge open?", questions).choice == 1
    assert read_reply("who is there?", questions).choice == 2
    assert read_reply("Is B right?", questions).choice is None
    assert read_reply("x", ("w", "x", "y")).choice == 1
    assert read_reply("z", ("w", "x", "y")).choice is None


def test_the_end_of_a_long_reply_is_what_counts() -> None:
    assert read_reply("C walks on. " * 5_000 + "The answer is B.", OPTIONS).choice == 1


def test_characters_that_change_their_length_in_lower_case_are_no_trouble() -> None:
    assert read_reply("İSTANBUL", ("istanbul", "ankara")).choice is None
    assert read_reply("The answer is ankara, not İSTANBUL", ("istanbul", "ankara")).choice == 1


def test_nothing_that_reads_or_scores_a_reply_is_random() -> None:
    package = Path(egobench.__file__).parent
    sources = [
        *(package / "replies").glob("*.py"),
        *(package / "scoring").glob("*.py"),
        *(package / "metrics").glob("*.py"),
    ]
    assert len(sources) > 5
    for source in sources:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named |= {part for alias in node.names for part in alias.name.split(".")}
                named |= set((getattr(node, "module", None) or "").split("."))
        assert named.isdisjoint({"random", "Random", "default_rng", "secrets", "shuffle"}), source.name


@pytest.mark.parametrize("reply", ["Answer:\u0130", "The answer is \u0131", "\u212a", "(\u0130)"])
def test_a_letter_of_another_alphabet_chooses_nothing(reply: str) -> None:
    """Case-insensitive patterns take the dotted I for an i and the Kelvin sign for a k."""
    assert read_reply(reply, ["C opens the fridge", "C closes it"]).choice is None
