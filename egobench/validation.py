"""What pydantic finds wrong with a value, in the words of error messages."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from egobench.errors import bare_reason


class ValueFault(NamedTuple):
    """What is wrong with a value.

    Attributes:
        path: The way to it, names of fields and numbers of entries; empty for the whole.
        problem: What is wrong and what was expected.
        kind: What pydantic calls it, e.g. ``"missing"``.
        value: The value.
    """

    path: tuple[int | str, ...]
    problem: str
    kind: str
    value: Any

    @property
    def place(self) -> str:
        """The way to it, with dots; ``""`` for the whole."""
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        """The problem, behind its place."""
        return f"{self.place}: {self.problem}" if self.path else self.problem


def faults_of(error: ValidationError) -> list[ValueFault]:
    """List the faults that pydantic has found, at least one."""
    return [
        ValueFault(fault["loc"], fault["msg"].removeprefix("Value error, "), fault["type"], fault["input"])
        for fault in error.errors(include_url=False)
    ]


def first_fault(error: ValidationError) -> ValueFault:
    """Return the first fault that pydantic has found."""
    return faults_of(error)[0]


def reason_of(error: Exception) -> str:
    """Say why a file whose path the message has named could not be read: pydantic's first fault, or what was raised."""
    return str(first_fault(error)) if isinstance(error, ValidationError) else bare_reason(error)
