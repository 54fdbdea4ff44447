"""What the fields of annotation files hold: the types and readings that several tasks share.

The types are for the fields of a :class:`egobench.annotations.Row`; the functions read one field against others and
raise :class:`egobench.annotations.FieldError`, which names the field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from egobench.annotations import FieldError
from egobench.json_input import MAX_INTEGER
from egobench.prompts import LETTERS
from egobench.sample import Clip

_INTEGERS = re.compile(r"\s*[\[(](?:\s*-?[0-9]{1,18}\s*,)*(?:\s*-?[0-9]{1,18})?\s*[\])]\s*")
"""A Python list or tuple of whole numbers; read without Python, which anything could be written in."""

_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d(?:\.\d+)?)")


def _id_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _integers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _INTEGERS.fullmatch(value) is None:
        raise ValueError("expected a list of whole numbers such as [2, 11]")
    return re.findall(r"-?[0-9]+", value)


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a whole number")
    return value


def _clock_seconds(value: Any) -> Any:
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a time such as 00:01:29.38")
    hours, minutes, seconds = match.groups()
    return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 6)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Words: not blank, blanks at both ends taken off."""

Id = Annotated[Text, BeforeValidator(_id_text)]
"""A name, or a whole number that serves as one."""

Seconds = Annotated[float, Field(ge=0)]
"""Seconds from the beginning of a video, as a number or its text."""

Timestamp = Annotated[float, BeforeValidator(_clock_seconds)]
"""Seconds from the beginning of a video, written as ``HH:MM:SS.ss``."""

Ordinal = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""A whole number from 0: where a frame stands in its video, or the number of a class."""

Position = Annotated[int, BeforeValidator(_no_truth_value), Field(ge=0, le=MAX_INTEGER)]
"""Where an option stands, from 0: a whole number or its text."""

Integers = Annotated[tuple[int, ...], BeforeValidator(_integers)]
"""A list of whole numbers, in a CSV cell or a text written as ``[2, 11]``."""


def stretch(video: str, start: float, end: float, *, field: str) -> Clip:
    """A clip between two times of a row.

    Args:
        video: Path below the task's folder of videos.
        start: Seconds.
        end: Seconds, at least ``start``.
        field: The field that holds the end, for the message.

    Raises:
        FieldError: If the clip ends before it starts.
    """
    if not (math.isfinite(start) and math.isfinite(end) and start <= end):
        raise FieldError(field, f"ends at {end:g} seconds, before its start at {start:g} seconds")
    return Clip(video, start, end)


def lettered(letter: str, options: Sequence[str], *, field: str) -> int:
    """Position of the option that a letter names.

    Args:
        letter: ``"A"`` for the first option.
        options: The options.
        field: The field that holds the letter, for the message.

    Raises:
        FieldError: If no option has that letter.
    """
    letters = LETTERS[: len(options)]
    if len(letter) != 1 or letter not in letters:
        raise FieldError(field, f"{letter!r} is the letter of no option; expected one of {', '.join(letters)}")
    return letters.index(letter)


def position(answer: str, options: Sequence[str], *, field: str) -> int:
    """Position of the option that is the answer, to the letter.

    Args:
        answer: The right answer in words.
        options: The options.
        field: The field that holds the answer, for the message.

    Raises:
        FieldError: If the answer is not among the options.
    """
    if answer not in options:
        raise FieldError(field, f"{answer!r} is not among the options {list(options)}")
    return list(options).index(answer)
