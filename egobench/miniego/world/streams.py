"""Random streams: every episode and every file draws from its own, so that nothing depends on what came before."""

from __future__ import annotations

from random import Random

from egobench.miniego.world.episode import Split


def stream(*key: object) -> Random:
    """Random stream of a key; the same key always gives the same numbers."""
    return Random("/".join(str(part) for part in key))  # noqa: S311 - reproducible, not secret


def split_stream(seed: int, split: Split, *key: object) -> Random:
    """Random stream of a key in a split of a world.

    A test stream is that of seed and key alone, so that the tests stay the same episodes from release to release; a
    train or val stream has the split in its key, so that it is never that of a test.
    """
    return stream(seed, *key) if split == "test" else stream(seed, split, *key)
