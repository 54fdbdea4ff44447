"""What a model is asked, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Instance:
    """A request."""

    request_type: str
    arguments: tuple[Any, ...]
    idx: int
    metadata: Mapping[str, Any]

    @property
    def args(self) -> tuple[Any, ...]:
        """What a model reads of it."""
        return self.arguments


def unwrap_generation_output(output: Any) -> tuple[Any, Any]:
    """A text, and counts of tokens where the model tells any."""
    return (output, None) if isinstance(output, str) else (output.text, output.token_counts)
