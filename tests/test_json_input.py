"""JSON from outside is read within limits, and what is beyond one is named with its place."""

from __future__ import annotations

import json

import pytest

from egobench.errors import JsonInputError
from egobench.json_input import JsonLine, RepeatedKeys, find_fault, parse_json, read_json, read_json_lines


def test_json_is_what_it_stands_for() -> None:
    value = {"a": [1, -2.5, "é", None, True], "b": {}, "": "\U0001f600"}
    assert read_json(json.dumps(value), "x") == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode("utf-8-sig"), "x") == value
    assert read_json("\ufeff7", "x") == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1,\n "b"}', r"^file, line 2, column 5: not JSON"),
        ("", r"^file, line 1, column 1: not JSON"),
        (b'"\xff"', r"^file, byte 1: not UTF-8"),
        ("[" * 100_000, r"^file: nested deeper than 100"),
        ("[" * 101 + "]" * 101, r"nested deeper than 100"),
        ('{"a":' * 5000 + "1" + "}" * 5000, r"^file.*: nested deeper than 100"),
        ('[0,\n{"n": ' + "9" * 5000 + "}]", r"^file, line 2: a number of too many digits"),
        ('[{"n": ' + "9" * 400 + "}]", r"^file, \[0\].n: a whole number of about 400 digits; expected one of 64 bits"),
        ('{"a": [1e999]}', r"^file, a\[0\]: found inf; expected a finite number"),
        ("[NaN]", r"^file, \[0\]: found nan; expected a finite number"),
        ("-Infinity", r"^file: found -inf; expected a finite number"),
        ('{"a": {"b": 1, "b": 2}}', r"^file, a: the key 'b' comes twice"),
        (r'["\ud800"]', r"^file, \[0\]: the text '\\ud800' holds half a character"),
        (r'{"\udfff": 1}', r"half a character"),
    ],
)
def test_what_is_beyond_a_limit_is_named_with_its_place(content: str | bytes, message: str) -> None:
    with pytest.raises(JsonInputError, match=message):
        read_json(content, "file")


def test_a_hundred_lists_in_one_another_are_read() -> None:
    value = read_json("[" * 100 + "]" * 100, "x")
    for _ in range(99):
        assert isinstance(value, list)
        (value,) = value
    assert value == []


def test_whole_numbers_of_64_bits_are_read() -> None:
    assert read_json(f"[{2**63 - 1}, {1 - 2**63}]", "x") == [2**63 - 1, 1 - 2**63]


def test_the_first_value_of_a_repeated_key_stays() -> None:
    value = parse_json('{"a": 1, "b": 2, "a": 3}', "x")
    assert isinstance(value, RepeatedKeys)
    assert list(value.items()) == [("a", 1), ("b", 2)]
    assert value.repeated == ["a"]


def test_a_reader_may_take_numbers_that_are_not_finite() -> None:
    value = parse_json("[NaN, Infinity]", "x")
    assert find_fault(value, finite=False) is None
    assert find_fault(value) is not None


def test_lines_are_read_one_by_one_with_their_numbers() -> None:
    text = '{"a": "\u2028"}\n\n[2]\n'
    expected = [JsonLine(1, {"a": "\u2028"}), JsonLine(3, [2])]
    assert list(read_json_lines(text, "x")) == expected
    assert list(read_json_lines(text.encode(), "x")) == expected


def test_a_bad_line_is_named_and_those_before_it_are_read() -> None:
    lines = read_json_lines('1\n{"a": NaN}\n', "file")
    assert next(lines) == JsonLine(1, 1)
    with pytest.raises(JsonInputError, match=r"^file, line 2, a: found nan"):
        next(lines)
