"""Takes and narrations on disk while clips are made, so that memory does not grow with the data set.

The official files list takes, splits and narrations each in an order of its own. They are brought together in a small
SQLite database in the system's folder for temporary files, which goes away at the end.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from egobench.errors import TrainingDataError

_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE splits (take TEXT, split TEXT, PRIMARY KEY (take, split)) WITHOUT ROWID;
CREATE TABLE captures (uid TEXT PRIMARY KEY, worn TEXT) WITHOUT ROWID;
CREATE TABLE takes (uid TEXT PRIMARY KEY, content TEXT, used INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE TABLE passes (uid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE groups (number INTEGER PRIMARY KEY, take TEXT, beta REAL, narrations TEXT);
"""


@dataclass(frozen=True, slots=True)
class StoredTake:
    """What clips need of a take.

    Attributes:
        uid: Its uid.
        ego: The wearer's file, below the folder of the data set.
        exo: Exocentric files by camera.
        duration: Seconds.
        best_exo: The camera that the authors call the best; ``""`` where they call none so.
        scenario: What goes on, e.g. ``"Cooking"``.
        task: The same more narrowly, e.g. ``"Making Milk Tea"``.
        institution: Who recorded it.
        seconds: Length of each file, in seconds, once the files were looked at.
    """

    uid: str
    ego: str
    exo: Mapping[str, str]
    duration: float
    best_exo: str
    scenario: str
    task: str
    institution: str
    seconds: Mapping[str, float]


class StoredNarration(NamedTuple):
    """One narration: its pass, its place there, its moment in seconds, its words, the camera that shows it best."""

    annotation_uid: str
    place: int
    timestamp: float
    text: str
    best_exo: str


class NarrationGroup(NamedTuple):
    """Narrations of one take that bound one another's clips, in order of time, and their mean gap in seconds."""

    take: StoredTake
    beta: float | None
    narrations: list[StoredNarration]


class TakeCatalogue:
    """A database of takes and narrations; used as a context manager."""

    def __enter__(self) -> Self:
        """Make an empty one.

        Raises:
            TrainingDataError: If the folder for temporary files cannot be written.
        """
        try:
            self._folder = TemporaryDirectory(prefix="exo2ego-")
            self._base = sqlite3.connect(Path(self._folder.name) / "takes.sqlite", isolation_level=None)
            self._base.executescript(_TABLES + "BEGIN;")
        except (OSError, sqlite3.Error) as error:
            raise TrainingDataError(
                f"no room for temporary files ({error}); set TMPDIR to a folder with room"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete it."""
        self._base.close()
        self._folder.cleanup()

    def add_split(self, take_uid: str, split: str) -> None:
        """Note that a take is in a split; the same again is no news."""
        self._run("INSERT OR IGNORE INTO splits VALUES (?, ?)", take_uid, split)

    def splits(self, take_uid: str) -> list[str]:
        """The splits that a take is in."""
        return [split for (split,) in self._run("SELECT split FROM splits WHERE take = ? ORDER BY split", take_uid)]

    def split_twice(self) -> Iterator[tuple[str, str]]:
        """Takes in several splits, with these."""
        return iter(
            self._run("SELECT take, group_concat(split, ' and ') FROM splits GROUP BY take HAVING count(*) > 1")
        )

    def add_capture(self, uid: str, worn: Iterable[str]) -> None:
        """Note which cameras the wearer wears in a capture."""
        self._run("INSERT OR REPLACE INTO captures VALUES (?, ?)", uid, json.dumps(list(worn)))

    def worn(self, capture_uid: str) -> list[str]:
        """Which cameras the wearer wears in a capture; none where it is not known."""
        content = self._run("SELECT worn FROM captures WHERE uid = ?", capture_uid).fetchone()
        return json.loads(content[0]) if content else []

    def add_take(self, take: StoredTake) -> bool:
        """Add a take; ``False`` if there is one of its uid."""
        content = json.dumps(asdict(take))
        return self._run("INSERT OR IGNORE INTO takes (uid, content) VALUES (?, ?)", take.uid, content).rowcount > 0

    def replace_take(self, take: StoredTake) -> None:
        """Put a take in the place of the one of its uid."""
        self._run("UPDATE takes SET content = ? WHERE uid = ?", json.dumps(asdict(take)), take.uid)

    def remove_take(self, take_uid: str) -> None:
        """Remove a take; its narrations no longer come out of :meth:`groups`."""
        self._run("DELETE FROM takes WHERE uid = ?", take_uid)

    def take(self, uid: str) -> StoredTake | None:
        """The take of a uid; ``None`` for none."""
        content = self._run("SELECT content FROM takes WHERE uid = ?", uid).fetchone()
        return StoredTake(**json.loads(content[0])) if content else None

    def add_pass(self, uid: str) -> bool:
        """Note the uid of an annotator's pass; ``False`` if it came before."""
        return self._run("INSERT OR IGNORE INTO passes VALUES (?)", uid).rowcount > 0

    def add_group(self, take_uid: str, beta: float | None, narrations: list[StoredNarration]) -> None:
        """Add narrations of a take, in order of time."""
        self._run("INSERT INTO groups VALUES (NULL, ?, ?, ?)", take_uid, beta, json.dumps(narrations))
        self._run("UPDATE takes SET used = 1 WHERE uid = ?", take_uid)

    def narrated(self) -> int:
        """How many takes have narrations."""
        return int(self._run("SELECT count(*) FROM takes WHERE used").fetchone()[0])

    def silent(self) -> int:
        """How many takes have none."""
        return int(self._run("SELECT count(*) FROM takes WHERE NOT used").fetchone()[0])

    def batches(self, size: int) -> Iterator[list[StoredTake]]:
        """The takes that have narrations, so many at a time; they may be replaced or removed meanwhile."""
        last = ""
        while True:
            rows = self._run("SELECT uid, content FROM takes WHERE used AND uid > ? ORDER BY uid LIMIT ?", last, size)
            batch = [StoredTake(**json.loads(content)) for _, content in rows]
            if not batch:
                return
            yield batch
            last = batch[-1].uid

    def mean_beta(self) -> float | None:
        """Alpha: the mean of the mean gaps of all groups of takes that are there; ``None`` where there is none."""
        mean = self._run("SELECT avg(beta) FROM groups JOIN takes ON take = uid").fetchone()[0]
        return None if mean is None else float(mean)

    def groups(self) -> Iterator[NarrationGroup]:
        """All narrations of takes that are there, in the order in which they were added."""
        query = "SELECT content, beta, narrations FROM groups JOIN takes ON take = uid ORDER BY number"
        with closing(self._base.execute(query)) as rows:
            for content, beta, narrations in rows:
                stored = [StoredNarration(*narration) for narration in json.loads(narrations)]
                yield NarrationGroup(StoredTake(**json.loads(content)), beta, stored)

    def _run(self, query: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._base.execute(query, values)
        except sqlite3.OperationalError as error:
            raise TrainingDataError(
                f"no room for temporary files ({error}); set TMPDIR to a folder with room"
            ) from error
