"""JSON that a server sent: parsed within limits, so that no answer ends in a crash or cannot be written down."""

from __future__ import annotations

import json
from typing import Any

DEPTH = 64
"""Most lists and objects inside one another; an answer needs about ten."""

DIGITS = 400
"""Most digits of an integer."""


def read_json(text: str | bytes) -> Any:
    """Parse JSON; half a character, an unpaired surrogate, becomes a question mark.

    Args:
        text: A text, or bytes in UTF-8, UTF-16 or UTF-32 (RFC 8259, section 8.1, and its forerunners).

    Raises:
        ValueError: If it is no JSON, is nested too deep, or holds a number that is too long.
    """
    if isinstance(text, bytes):
        text = decode(text)
    try:
        return _well_formed(json.loads(text, parse_int=_integer), DEPTH)
    except RecursionError as error:
        raise ValueError(f"nested more than {DEPTH} deep") from error


def decode(content: bytes) -> str:
    """Bytes as text, by the encoding that JSON in them has; what a header calls it does not matter."""
    return content.decode(json.detect_encoding(content), errors="replace")


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _well_formed(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if not isinstance(value, list | dict):
        return value
    if not depth:
        raise ValueError(f"nested more than {DEPTH} deep")
    if isinstance(value, list):
        return [_well_formed(part, depth - 1) for part in value]
    return {_well_formed(key, depth - 1): _well_formed(part, depth - 1) for key, part in value.items()}
