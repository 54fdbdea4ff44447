"""JSON that a server sent: in whatever encoding it is, within the limits of :mod:`egobench.json_input`."""

from __future__ import annotations

import json
import re

from egobench.errors import JsonInputError
from egobench.json_input import JsonValue, find_fault, parse_json

_ESCAPES = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|(?P<other>\\.)",
    re.DOTALL,
)
"""What a backslash begins in JSON: both halves of a character, one half alone, or anything else."""


def read_answer(text: str, source: str) -> JsonValue:
    """Parse the JSON of an answer; half a character, which could not be written down, becomes a question mark.

    Args:
        text: From :func:`decode`.
        source: What names it for a person.

    Raises:
        JsonInputError: If it is no JSON, or something in it is beyond a limit.
    """
    value = parse_json(_ESCAPES.sub(lambda escape: "?" if escape["half"] else escape[0], text), source)
    # Servers send infinities among log-probabilities; who reads those looks at them.
    fault = find_fault(value, finite=False)
    if fault is not None:
        raise JsonInputError(source, fault.place, fault.problem)
    return value


def decode(content: bytes) -> str:
    """Bytes as text, by the encoding that JSON in them has; what a header calls it does not matter."""
    return content.decode(json.detect_encoding(content), errors="replace")
