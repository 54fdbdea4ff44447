"""What lies at a video's path: a file, a folder, or something that must not be opened."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from egobench.errors import MissingVideoError, UnreadableVideoError


def video_status(path: Path) -> os.stat_result:
    """Return the status of a file or folder. Pipes and devices are refused: opening one may wait for ever.

    Raises:
        MissingVideoError: If nothing lies there.
        UnreadableVideoError: If it is neither file nor folder, a loop of links, or a name that no file can have.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingVideoError(f"{path}: no such video; check the folder of videos, or download the file") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadableVideoError(f"{path}: cannot be read ({reason}); expected a video file") from error
    if not S_ISREG(status.st_mode) and not S_ISDIR(status.st_mode):
        raise UnreadableVideoError(f"{path}: a pipe, socket or device; expected a video file")
    return status


def is_folder(path: Path) -> bool:
    """Tell whether a folder lies at a path; false for every path that cannot be read."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names that are too long


def is_file(path: Path) -> bool:
    """Tell whether a file lies at a path; false for pipes, devices and every path that cannot be read."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for names that are too long
