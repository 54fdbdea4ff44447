"""What several tasks read inside a field."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from egobench.annotations import FieldError, Row
from egobench.annotations.fields import Id, Integers, Ordinal, Seconds, Text, Timestamp, lettered, position, stretch
from egobench.sample import Clip


class Fields(Row):
    """One field of each kind."""

    text: Text = "-"
    id: Id = "-"
    seconds: Seconds = 0.0
    timestamp: Timestamp = 0.0
    ordinal: Ordinal = 0
    integers: Integers = ()


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("text", " Lying on a bed ", "Lying on a bed"),
        ("id", 115, "115"),
        ("id", " P01_11_0 ", "P01_11_0"),
        ("seconds", "12.5", 12.5),
        ("seconds", 240, 240.0),
        ("timestamp", "00:00:01.89", 1.89),
        ("timestamp", "01:02:03", 3723.0),
        ("ordinal", "36", 36),
        ("integers", "[2, 11]", (2, 11)),
        ("integers", [2], (2,)),
        ("integers", "[]", ()),
        ("integers", " (93,) ", (93,)),
        ("ordinal", 2**63 - 1, 2**63 - 1),
    ],
)
def test_a_field_is_read(field: str, raw: object, value: object) -> None:
    assert getattr(Fields.model_validate({field: raw}), field) == value


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("text", "  "),
        ("text", 3),
        ("id", ""),
        ("id", True),
        ("id", 1.5),
        ("seconds", -0.1),
        ("seconds", math.nan),
        ("seconds", "inf"),
        ("timestamp", "1.89"),
        ("timestamp", "00:60:00.00"),
        ("timestamp", "00:00:01.89 or so"),
        ("timestamp", 1.89),
        ("ordinal", -1),
        ("ordinal", 1.5),
        ("integers", "2"),
        ("integers", "[2, x]"),
        ("integers", "__import__('os')"),
        ("integers", ["two"]),
        ("integers", "[" * 100_000),
        ("integers", "-" * 100_000 + "1"),
        ("integers", "[" + "9" * 5000 + "]"),
        ("ordinal", "9" * 400),
    ],
)
def test_a_field_that_holds_something_else_is_refused(field: str, raw: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Fields.model_validate({field: raw})
    assert caught.value.errors()[0]["loc"][0] == field


def test_letters_are_positions() -> None:
    assert [lettered(letter, ("x", "y", "z"), field="a") for letter in "ABC"] == [0, 1, 2]


@pytest.mark.parametrize("letter", ["D", "a", "", "AB", "1"])
def test_a_letter_of_no_option_is_refused_by_its_field(letter: str) -> None:
    with pytest.raises(FieldError, match=r"field 'a': .* expected one of A, B, C"):
        lettered(letter, ("x", "y", "z"), field="a")


def test_an_answer_is_found_to_the_letter() -> None:
    options = ("Turn left and move forward", "Move forward")
    assert position("Move forward", options, field="answer") == 1
    with pytest.raises(FieldError, match="field 'answer': 'move forward' is not among the options"):
        position("move forward", options, field="answer")


def test_a_stretch_may_have_no_length_and_never_ends_before_it_starts() -> None:
    assert stretch("a.mp4", 1.5, 1.5, field="end") == Clip("a.mp4", 1.5, 1.5)
    with pytest.raises(FieldError, match=r"field 'end': ends at 1 seconds, before its start at 1\.5 seconds"):
        stretch("a.mp4", 1.5, 1.0, field="end")
