"""Files that the writers of annotations share: ids, JSON, CSV, and the list of videos to render."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from egobench.miniego.world.episode import Episode, View


def uid(*key: object) -> str:
    """Id in the form of a UUID, always the same for a key, from which the key cannot be read."""
    return str(UUID(bytes=sha256("/".join(str(part) for part in key).encode()).digest()[:16]))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file; of a list, a line per row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        rows = cast("list[object]", content)
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
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


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Film:
    """A video file to render of an episode, or a folder of its frames.

    Attributes:
        path: The file, or the folder.
        view: The camera.
        start: Seconds from the episode's start.
        end: Seconds from the episode's start.
        png_fps: Frames a second of a folder of PNG files; ``None`` for a video file at the episode's frame rate.
    """

    path: Path
    view: View
    start: float
    end: float
    png_fps: float | None = None


class Films:
    """List of the videos that annotations mention.

    Attributes:
        root: Folder that their paths are below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._films: defaultdict[int, dict[Path, Film]] = defaultdict(dict)

    @property
    def count(self) -> int:
        """Number of video files."""
        return sum(film.png_fps is None for films in self._films.values() for film in films.values())

    def below(self, folders: Collection[str]) -> Films:
        """List of the videos in some folders right below the root."""
        kept = Films(self.root)
        for number, films in self._films.items():
            for path, film in films.items():
                if path.relative_to(self.root).parts[0] in folders:
                    kept._films[number][path] = film
        return kept

    def of(self, episode: Episode) -> list[Film]:
        """Videos of an episode, in the order they were added."""
        return list(self._films[episode.number].values())

    def whole(self, episode: Episode, path: str, view: View = "ego") -> None:
        """Add a video of a whole episode."""
        self._films[episode.number][self.root / path] = Film(self.root / path, view, 0.0, episode.seconds)

    def stretch(self, episode: Episode, start: float, end: float, path: str, *, view: View = "ego") -> None:
        """Add a video of a stretch of an episode."""
        self._films[episode.number][self.root / path] = Film(self.root / path, view, start, end)

    def frames(self, episode: Episode, path: str, fps: float) -> None:
        """Add a folder of frames of the wearer's view of a whole episode."""
        self._films[episode.number][self.root / path] = Film(self.root / path, "ego", 0.0, episode.seconds, fps)
