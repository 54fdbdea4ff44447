"""Files of a training: written as a whole, known by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PARTIAL = ".partial"
"""Ending of a file, and name of a folder, that is being written."""


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that it is either there as a whole or as it was, whoever else writes it meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hex digits.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
