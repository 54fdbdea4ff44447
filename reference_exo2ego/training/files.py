"""Files of a training: partial ones, and what they are known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

PARTIAL = ".partial"
"""Ending of a file, and name of a folder, that is being written."""


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hex digits.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
