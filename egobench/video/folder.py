"""A video that is stored as a folder of its frames, one picture a frame, as EPIC-KITCHENS releases them.

``frame_0000000001.jpg`` is the first displayed frame; the frame on display at ``t`` seconds has the number
``floor(t * rate) + 1``. The rate is not that of ``EPIC_100_video_info.csv``, which is the camera's: every video was
brought to one rate before its frames were taken out, 60 a second for the first part of the data set (``P01_01``) and 50
for its extension (``P01_101``); see issue 34 of epic-kitchens/epic-kitchens-100-annotations and issue 8 of
epic-kitchens/C2-Action-Detection. Other folders say theirs in a file ``fps.txt``, e.g. ``60000/1001``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

import numpy as np
import PIL
from PIL import Image

from egobench.errors import DamagedVideoError, MissingVideoError, UnreadableVideoError
from egobench.video.backends import Shot
from egobench.video.index import VideoIndex

RATE: Final = "fps.txt"
"""In a folder of frames: how many of them a second shows."""

_FIRST: Final = tuple(f"frame_0000000001{suffix}" for suffix in (".jpg", ".png"))
_FRAME: Final = re.compile(r"frame_(\d{10})\.(?:jpg|png)")
_EPIC: Final = ((re.compile(r"P\d{2}_\d{2}"), Fraction(60)), (re.compile(r"P\d{2}_\d{3}"), Fraction(50)))


def stored_as(path: Path) -> Path:
    """Where a video lies: the path itself, or a folder of frames that stands for it where there is no such file.

    Args:
        path: A video, e.g. ``P01/P01_11.MP4``, which ``P01/P01_11``, ``P01/rgb_frames/P01_11`` or a folder of its own
            name may stand for.
    """
    if path.is_file():
        return path
    stem = path.with_suffix("")
    folders = (path, stem, path.parent / "rgb_frames" / stem.name)
    return next((one for one in folders if holds_frames(one)), path)


def holds_frames(folder: Path) -> bool:
    """Whether a folder holds the first frame of a video."""
    return any((folder / name).is_file() for name in _FIRST)


def folder_index(folder: Path) -> VideoIndex:
    """What is in a folder of frames; every picture is a packet that can be decoded alone.

    Raises:
        UnreadableVideoError: If it holds no frames, the first is no picture, or nobody knows how many a second shows.
    """
    names = _names(folder)
    first = names.get(1)
    if first is None:
        raise UnreadableVideoError(f"{folder}: a folder without {_FIRST[0]}; expected the frames of a video, or a file")
    rate, count = _rate(folder), max(names)
    if count > 2 * len(names):
        raise UnreadableVideoError(f"{folder}: holds {len(names)} of {count} frames; download the frames again")
    try:
        with Image.open(folder / first) as picture:
            (width, height), codec = picture.size, str(picture.format).lower()
    except OSError as error:
        raise UnreadableVideoError(f"{folder / first}: no picture ({error}); download the frames again") from error
    numbers, always = np.arange(count, dtype=np.int64), np.ones(count, bool)
    length = float(count / rate)
    return VideoIndex(
        path=folder,
        stream=0,
        container="frame folder",
        codec=codec,
        width=width,
        height=height,
        unit=1 / rate,
        pts=numbers,
        dts=numbers,
        key=always,
        hidden=~always,
        droppable=always,
        order=numbers,
        times=[float(number / rate) for number in range(count)],
        stamped=True,
        exact=True,
        end=length,
        duration=length,
    )


def folder_fingerprint(folder: Path) -> str:
    """Number of frames, the folder's modification time in nanoseconds, and SHA-256 of the first and the last frame.

    The frames between them are not looked at: there may be a hundred thousand.

    Raises:
        MissingVideoError: If there is no such folder.
        UnreadableVideoError: If it cannot be read.
    """
    try:
        names = _names(folder)
        digest = sha256(b"".join((folder / names[number]).read_bytes() for number in (min(names), max(names))))
        if (folder / RATE).is_file():
            digest.update((folder / RATE).read_bytes())
        return f"{len(names)}-{folder.stat().st_mtime_ns}-{digest.hexdigest()}"
    except FileNotFoundError as error:
        raise MissingVideoError(f"{folder}: no such folder of frames; check the folder of videos") from error
    except (OSError, ValueError) as error:
        raise UnreadableVideoError(f"{folder}: no folder of frames that can be read ({error})") from error


class FolderReader:
    """The frames of one folder.

    Attributes:
        decoder: Name and version.
        index: What is in the folder.

    Raises:
        UnreadableVideoError: If it holds no frames, or nobody knows how many a second shows.
    """

    def __init__(self, folder: Path) -> None:
        self.decoder = f"pillow {PIL.__version__}"
        self.index = folder_index(folder)
        self._names = _names(folder)

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open between frames."""

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Read frames; see :meth:`egobench.video.backends.Reader.shots`."""
        for number in wanted:
            if stop.is_set():
                return
            yield self._shot(number)

    def _shot(self, number: int) -> Shot:
        name = self._names.get(number + 1)
        where = self.index.path / (name or f"frame_{number + 1:010d}")
        if name is None:
            return Shot(number, None, DamagedVideoError(f"{where}: no such frame; download the frames again"))
        try:
            with Image.open(where) as picture:
                return Shot(number, np.asarray(picture.convert("RGB")))
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises of damaged JPEG and PNG files
            problem = DamagedVideoError(f"{where}: cannot be decoded ({error}); download the frames again")
            return Shot(number, None, problem)


def _names(folder: Path) -> dict[int, str]:
    """Names of the frames by number, from 1."""
    try:
        found = (_FRAME.fullmatch(path.name) for path in folder.iterdir())
        return {int(name[1]): name[0] for name in found if name}
    except PermissionError as error:
        raise UnreadableVideoError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error


def _rate(folder: Path) -> Fraction:
    said = folder / RATE
    if said.is_file():
        try:
            rate = Fraction(said.read_text(encoding="utf-8").strip())
        except (OSError, ValueError, ZeroDivisionError) as error:
            raise UnreadableVideoError(f"{said}: {error}; expected a number such as 50 or 60000/1001") from error
        if rate > 0:
            return rate
        raise UnreadableVideoError(f"{said}: {rate} frames a second; expected more than 0")
    known = next((each for name, each in _EPIC if name.fullmatch(folder.stem)), None)
    if known is None:
        raise UnreadableVideoError(
            f"{folder}: nobody knows how many frames a second shows; write it into {said}, e.g. 30 or 60000/1001"
        )
    return known
