"""Vectors in a file that processes share: what one has embedded, the next one reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar

from egobench.cache_folder import cache_folder

T = TypeVar("T")

MOST_BYTES: Final = 2 << 30
"""Size at which the file is begun anew: about a million vectors of 384 numbers."""

PATIENCE: Final = 10.0
"""Seconds to wait for another process that writes."""

AT_ONCE: Final = 500
"""Keys that are looked up by one statement."""


class VectorStore:
    """Vectors by key in one SQLite file. A store that cannot be used only costs the time of embedding again.

    Args:
        path: The file, made with its folder when it is first used; a damaged one is begun anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def shared(cls) -> VectorStore:
        """The store in the user's cache folder."""
        return cls(cache_folder() / "vectors.sqlite")

    def read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The vectors that are there, by key.

        Args:
            keys: Any number.
        """

        def select(database: sqlite3.Connection) -> dict[bytes, bytes]:
            vectors: dict[bytes, bytes] = {}
            for start in range(0, len(keys), AT_ONCE):
                part = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                vectors.update(database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part))  # noqa: S608 - question marks alone
            return vectors

        vectors = self._use(select) or {}
        # Vectors of one embedder are equally long; where they are not, something else has written here.
        return vectors if len(set(map(len, vectors.values()))) == 1 else {}

    def write(self, vectors: Mapping[bytes, bytes]) -> None:
        """Add vectors.

        Args:
            vectors: The bytes of each by its key.
        """

        def insert(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", vectors.items())

        self._use(insert)

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What some work on the file comes to; ``None`` where the file cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
                self._path.unlink()
            with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as database:
                database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")
                return work(database)
        except (sqlite3.OperationalError, OSError):
            return None
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self._path.unlink()
            return None
