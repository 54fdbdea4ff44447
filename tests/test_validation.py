"""What pydantic finds wrong is said with its place; expected texts are pydantic's own, behind the place by hand."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator

from egobench.validation import faults_of, first_fault, reason_of


class Clip(BaseModel):
    """A clip with two seconds in order."""

    seconds: tuple[float, float]
    name: str = ""

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if name == "none":
            raise ValueError("a name is expected")
        return name


def _error(value: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[Clip]).validate_python(value)
    return caught.value


def test_every_fault_has_its_place_its_kind_and_the_value() -> None:
    error = _error([{"seconds": (1, "two")}, {"seconds": (1, 2), "name": "none"}, {}])
    number, name, missing = faults_of(error)
    assert (number.place, number.value, number.kind) == ("0.seconds.1", "two", "float_parsing")
    assert str(name) == "1.name: a name is expected"
    assert (missing.path, missing.kind) == ((2, "seconds"), "missing")
    assert first_fault(error) == number


def test_a_fault_of_the_whole_has_no_place() -> None:
    fault = first_fault(_error("clips"))
    assert (fault.place, str(fault)) == ("", "Input should be a valid list")


def test_the_reason_of_another_error_is_its_own_words() -> None:
    assert reason_of(_error([{}])) == "0.seconds: Field required"
    assert reason_of(OSError("no room")) == "no room"
