"""Files that are there as a whole or as they were, whatever ends the process and whoever else writes them."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give the path of a file to write, which takes another's place once it is whole; each process has its own.

    Args:
        path: The file that is replaced; of a link what it leads to. What is no file, such as a terminal, is itself
            written to.

    Raises:
        OSError: If it cannot be replaced.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file whole, or leave it as it was.

    Args:
        path: The file.
        content: Its bytes, or a text that is written in UTF-8.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as part, part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        if part != path:
            os.fsync(file.fileno())
