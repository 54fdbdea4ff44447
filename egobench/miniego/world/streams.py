"""Random streams: every episode and every file draws from its own, so that nothing depends on what came before."""

from __future__ import annotations

from random import Random


def stream(*key: object) -> Random:
    """Random stream of a key; the same key always gives the same numbers."""
    return Random("/".join(str(part) for part in key))  # noqa: S311 - reproducible, not secret
