"""The simulator's log: all that happens in every episode, enough to answer every question without a video."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from egobench.miniego.world.episode import Change, Episode, Fixture, Step, Thing

NAME = "log.jsonl"


def write(path: Path, episodes: Iterable[Episode]) -> None:
    """Write a log, a line per episode."""
    with path.open("w", encoding="utf-8") as file:
        for episode in episodes:
            file.write(json.dumps(asdict(episode)) + "\n")


def read(path: Path) -> Iterator[Episode]:
    """Read the episodes of a log.

    Args:
        path: ``log.jsonl`` of a generated world.
    """
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield _episode(json.loads(line))


def _episode(row: dict[str, Any]) -> Episode:
    kinds: dict[str, type[Any]] = {"things": Thing, "fixtures": Fixture, "steps": Step, "changes": Change}
    for key, kind in kinds.items():
        row[key] = tuple(kind(**fields) for fields in row[key])
    row["gaze"] = tuple(tuple(knot) for knot in row["gaze"])
    return Episode(**row)
