"""What is fuzzed: valid files to alter, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid input.

    Attributes:
        folder: Folder of the files that belong together; copied before one of them is altered.
        file: The file that is altered, below the folder.
    """

    folder: Path
    file: str

    @property
    def path(self) -> Path:
        """The file that is altered."""
        return self.folder / self.file


@dataclass(frozen=True, slots=True)
class Reader:
    """Something that reads files from outside.

    Attributes:
        name: What it is called in reports.
        make_seeds: Writes valid inputs below a folder.
        read: Reads a copy of such an input, in which one file is altered.
        deletes: Whether the file is now and then taken away instead.
    """

    name: str
    make_seeds: Callable[[Path], Iterator[Seed]]
    read: Callable[[Seed], object]
    deletes: bool = False


def seeds_of(folder: Path, *, hidden: bool = False) -> Iterator[Seed]:
    """Every file of a folder.

    Args:
        folder: The folder.
        hidden: Whether files count whose names, or folders' names, begin with a dot.
    """
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and (hidden or not any(part.startswith(".") for part in name.parts)):
            yield Seed(folder, name.as_posix())
