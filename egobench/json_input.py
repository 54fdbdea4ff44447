"""JSON that comes from outside: annotation files, sample sets, run folders, replies of servers.

Whoever wrote it may have written anything, so it is read within limits: how deep it is nested, how large its numbers
are, that numbers are finite, that no object has a key twice, that texts can be encoded again. What does not fit is a
:class:`~egobench.errors.JsonInputError` that names the source and the place in it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from egobench.errors import JsonInputError

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""What a JSON text stands for."""

MAX_DEPTH = 100
"""Lists and objects inside one another."""

MAX_INTEGER = 2**63 - 1
"""The largest whole number, and the smallest with a minus: those of 64 bits."""

_LARGE_NUMBER = re.compile(r"\d(?:\d{18}|[eE])")
"""Found wherever a number is beyond a limit, and in few other texts."""

_ENDLESS_DIGITS = re.compile(r"\d{4301,}")  # Python converts no more than 4,300


class JsonFault(NamedTuple):
    """What is wrong in a JSON value.

    Attributes:
        place: The way to it, e.g. ``"[17].choices.4"``; ``""`` for the value itself.
        problem: What is wrong and what was expected.
    """

    place: str
    problem: str


class JsonLine(NamedTuple):
    """One line of a JSON Lines text.

    Attributes:
        number: From 1.
        value: What it stands for.
    """

    number: int
    value: JsonValue


class RepeatedKeys(dict[str, JsonValue]):
    """A JSON object in which a key came more than once: the first value stays.

    Attributes:
        repeated: Those keys.
    """

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        self.update(reversed(pairs))
        self.repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def read_json(content: str | bytes, source: str) -> JsonValue:
    """Read JSON within all limits.

    Args:
        content: The text, or its bytes in UTF-8, with or without a byte order mark.
        source: What names it for a person, e.g. the path of the file.

    Raises:
        JsonInputError: If it is no JSON, or something in it is beyond a limit.
    """
    parsed = _parse(content, source)
    # Every value is looked at only where the text, which is searched faster, may hold something beyond a limit.
    if parsed.repeats or may_exceed(parsed.text, decoded=isinstance(content, bytes)):
        fault = find_fault(parsed.value)
        if fault is not None:
            raise JsonInputError(source, fault.place, fault.problem)
    return parsed.value


def read_json_lines(content: str | bytes, source: str) -> Iterator[JsonLine]:
    """Read JSON Lines, each line within all limits; blank lines are passed over.

    Args:
        content: The text, or its bytes in UTF-8.
        source: What names it for a person, e.g. the path of the file.

    Yields:
        The lines in order.

    Raises:
        JsonInputError: At the first line that is no JSON, or in which something is beyond a limit.
    """
    lines: list[str | bytes] = [*(content.split("\n") if isinstance(content, str) else content.split(b"\n"))]
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield JsonLine(number, read_json(line, f"{source}, line {number}"))


def parse_json(content: str | bytes, source: str) -> JsonValue:
    """Parse JSON without a look at its values, for a reader that calls :func:`find_fault` row by row.

    Args:
        content: The text, or its bytes in UTF-8, with or without a byte order mark.
        source: What names it for a person, e.g. the path of the file.

    Returns:
        The value; an object with a key that comes twice is a :class:`RepeatedKeys`, a number may be not finite.

    Raises:
        JsonInputError: If it is no JSON, or nested too deep to be parsed.
    """
    return _parse(content, source).value


def may_exceed(text: str, *, decoded: bool = True) -> bool:
    """Whether something in a text of JSON may be beyond a limit, so that its values must be looked at.

    Args:
        text: The text.
        decoded: Whether it was decoded from bytes, so that only an escape can be half a character.
    """
    return (
        text.count("[") + text.count("{") > MAX_DEPTH
        or "\\u" in text
        or not (decoded or text.isascii())
        or "NaN" in text
        or "Infinity" in text
        or _LARGE_NUMBER.search(text) is not None
    )


class _Parsed(NamedTuple):
    text: str
    value: JsonValue
    repeats: bool


def _parse(content: str | bytes, source: str) -> _Parsed:
    repeated: list[RepeatedKeys] = []

    def as_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        repeated.append(RepeatedKeys(pairs))
        return repeated[-1]

    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise JsonInputError(source, f"byte {error.start}", "not UTF-8; expected JSON in UTF-8") from error
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=as_object)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise JsonInputError(source, place, f"not JSON ({error.msg}); is it truncated?") from error
    except RecursionError as error:
        raise JsonInputError(source, "", f"nested deeper than {MAX_DEPTH} lists and objects") from error
    except ValueError as error:
        digits = _ENDLESS_DIGITS.search(text)
        place = f"line {text.count(chr(10), 0, digits.start()) + 1}" if digits else ""
        raise JsonInputError(source, place, f"a number of too many digits ({error})") from error
    return _Parsed(text, value, bool(repeated))


def find_fault(value: JsonValue, *, finite: bool = True) -> JsonFault | None:
    """The first thing in a parsed value that is beyond a limit.

    Args:
        value: From :func:`parse_json`.
        finite: Whether NaN and infinities are faults too.

    Returns:
        ``None`` where there is nothing.
    """
    level: list[_Nested] = [_Nested({"": value}, None)]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[_Nested] = []
        for nested in level:
            if isinstance(nested.value, RepeatedKeys):
                return JsonFault(_place(nested.way), f"the key {nested.value.repeated[0]!r:.80} comes twice")
            members = nested.value.items() if isinstance(nested.value, dict) else enumerate(nested.value)
            for key, member in members:
                if isinstance(member, (dict, list)):
                    deeper.append(_Nested(member, (nested.way, key)))
                    continue
                problem = _problem(member, finite=finite) or (_problem(key) if isinstance(key, str) else "")
                if problem:
                    return JsonFault(_place((nested.way, key)), problem)
        if not deeper:
            return None
        level = deeper
    return JsonFault(_place(level[0].way), f"nested deeper than {MAX_DEPTH} lists and objects")


class _Nested(NamedTuple):
    value: dict[str, JsonValue] | list[JsonValue]
    way: _Way | None


_Way: TypeAlias = "tuple[_Way | None, str | int]"


def _problem(member: JsonValue, *, finite: bool = True) -> str:
    if isinstance(member, str):
        if not member.isascii() and any("\ud800" <= character <= "\udfff" for character in member):
            return f"the text {member!r:.80} holds half a character (a lone surrogate)"
    elif isinstance(member, float):
        if finite and not math.isfinite(member):
            return f"found {member}; expected a finite number"
    elif isinstance(member, int) and not -MAX_INTEGER <= member <= MAX_INTEGER:
        return f"a whole number of about {round(member.bit_length() * 0.30103)} digits; expected one of 64 bits"
    return ""


def _place(way: _Way | None) -> str:
    steps: list[str] = []
    while way is not None:
        way, key = way
        if isinstance(key, int):
            steps.append(f"[{key}]")
        elif key:
            steps.append(f".{key:.40}" if key.isprintable() else f".{key!r:.40}")
    # One value can be nested a hundred times over: the ends of the way are enough.
    steps.reverse()
    ends = steps if len(steps) <= 8 else [*steps[:4], " ... ", *steps[-4:]]
    return "".join(ends).removeprefix(".")
