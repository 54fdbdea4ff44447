"""What the writers of the official files share: ids, JSON and CSV files, and the list of videos to be rendered."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from egobench.miniego.episode import Episode


def uid(*key: object) -> str:
    """An id in the form of a UUID, always the same for a key, from which the key cannot be read."""
    return str(UUID(bytes=sha256("/".join(str(part) for part in key).encode()).digest()[:16]))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, one row a line in lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in content)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a CSV file with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


class Films:
    """The videos that annotations mention.

    Attributes:
        files: Paths below the folder of videos, by episode number and seconds shown; several paths of one stretch are
            one file.
    """

    def __init__(self) -> None:
        self.files: defaultdict[tuple[int, float, float], list[str]] = defaultdict(list)

    def whole(self, episode: Episode, path: str) -> None:
        """Ask for the whole episode under a path."""
        self.stretch(episode, 0.0, episode.seconds, path)

    def stretch(self, episode: Episode, start: float, end: float, path: str) -> None:
        """Ask for a stretch of an episode under a path."""
        paths = self.files[episode.number, start, end]
        if path not in paths:
            paths.append(path)
