"""Hash of a video's content: the same wherever the file lies and whenever it was copied there."""

from __future__ import annotations

import hashlib
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR

from egobench.errors import MissingVideoError, UnreadableVideoError
from egobench.video.files import video_status
from egobench.video.folder import RATE_FILE


def content_hash(path: Path) -> str:
    """Return the SHA-256, in hex, of a file's bytes.

    Of a folder of frames: of every file's name and size, of the bytes of the first and the last, and of the frame rate.
    The frames between them are not read: there may be a hundred thousand.

    Raises:
        MissingVideoError: If nothing lies at the path.
        UnreadableVideoError: If it cannot be read.
    """
    is_folder = S_ISDIR(video_status(path).st_mode)
    try:
        if is_folder:
            return _folder_hash(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingVideoError(f"{path}: no such video; check the folder of videos, or download the file") from error
    except OSError as error:
        raise UnreadableVideoError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _folder_hash(folder: Path) -> str:
    digest = sha256()
    pictures = sorted(entry for entry in folder.iterdir() if entry.name.startswith("frame_"))
    for picture in pictures:
        digest.update(f"{picture.name}\0{picture.stat().st_size}\n".encode(errors="surrogateescape"))
    for file in (*pictures[:1], *pictures[-1:], folder / RATE_FILE):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
