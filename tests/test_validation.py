"""What pydantic finds wrong is said with its place; expected texts are pydantic's own, behind the place by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator

from egobench.errors import JsonInputError
from egobench.json_input import read_json
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


def test_the_reason_that_a_file_cannot_be_read_is_said_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "run.json").read_bytes()
    with pytest.raises(JsonInputError) as broken:
        read_json("{", "run.json")
    assert "run.json" in str(missing.value) and "run.json" in str(broken.value)
    assert reason_of(_error([{}])) == "0.seconds: Field required"
    assert reason_of(missing.value) == "No such file or directory"
    assert reason_of(broken.value).startswith("line 1, column 2: not JSON")
    assert reason_of(OSError("no room")) == "no room"
