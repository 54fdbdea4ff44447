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
from egobench.video.frame_reader import DecodedFrame
from egobench.video.index import VideoIndex

RATE_FILE: Final = "fps.txt"
"""File in a folder of frames that says how many of them are displayed a second."""

_FIRST_FRAMES: Final = tuple(f"frame_0000000001{suffix}" for suffix in (".jpg", ".png"))
_FRAME: Final = re.compile(r"frame_(\d{10})\.(?:jpg|png)")
_EPIC_RATES: Final = ((re.compile(r"P\d{2}_\d{2}"), Fraction(60)), (re.compile(r"P\d{2}_\d{3}"), Fraction(50)))


def stored_as(path: Path) -> Path:
    """Return where a video lies: the path itself, or a folder of frames where there is no such file.

    Args:
        path: A video, e.g. ``P01/P01_11.MP4``, which ``P01/P01_11``, ``P01/rgb_frames/P01_11`` or a folder of its own
            name may stand for.
    """
    if path.is_file():
        return path
    stem = path.with_suffix("")
    folders = (path, stem, path.parent / "rgb_frames" / stem.name)
    return next((folder for folder in folders if holds_frames(folder)), path)


def holds_frames(folder: Path) -> bool:
    """Tell whether a folder holds the first frame of a video."""
    return any((folder / name).is_file() for name in _FIRST_FRAMES)


def folder_index(folder: Path) -> VideoIndex:
    """List a folder of frames; every picture is a packet that can be decoded alone.

    Raises:
        UnreadableVideoError: If it holds no frames, the first is no picture, or its frame rate is unknown.
    """
    names = _names(folder)
    first = names.get(1)
    if first is None:
        raise UnreadableVideoError(
            f"{folder}: a folder without {_FIRST_FRAMES[0]}; expected the frames of a video, or a file"
        )
    rate, count = _rate(folder), max(names)
    if count > 2 * len(names):
        raise UnreadableVideoError(f"{folder}: holds {len(names)} of {count} frames; download the frames again")
    try:
        with Image.open(folder / first) as picture:
            (width, height), codec = picture.size, str(picture.format).lower()
    except OSError as error:
        raise UnreadableVideoError(f"{folder / first}: no picture ({error}); download the frames again") from error
    numbers, every = np.arange(count, dtype=np.int64), np.ones(count, bool)
    length = float(count / rate)
    return VideoIndex(
        path=folder,
        stream=0,
        container="frame folder",
        codec=codec,
        width=width,
        height=height,
        time_base=1 / rate,
        pts=numbers,
        dts=numbers,
        key=every,
        hidden=~every,
        droppable=every,
        order=numbers,
        times=[float(number / rate) for number in range(count)],
        stamped=True,
        seekable=True,
        intact_until=length,
        duration=length,
    )


def folder_fingerprint(folder: Path) -> str:
    """Return the number of frames, the folder's modification time in nanoseconds, and a SHA-256 of both end frames.

    The frames between them are not looked at: there may be a hundred thousand.

    Raises:
        MissingVideoError: If there is no such folder.
        UnreadableVideoError: If it cannot be read.
    """
    try:
        names = _names(folder)
        digest = sha256(b"".join((folder / names[number]).read_bytes() for number in (min(names), max(names))))
        if (folder / RATE_FILE).is_file():
            digest.update((folder / RATE_FILE).read_bytes())
        return f"{len(names)}-{folder.stat().st_mtime_ns}-{digest.hexdigest()}"
    except FileNotFoundError as error:
        raise MissingVideoError(f"{folder}: no such folder of frames; check the folder of videos") from error
    except (OSError, ValueError) as error:
        raise UnreadableVideoError(f"{folder}: no folder of frames that can be read ({error})") from error


class FolderReader:
    """An open folder of frames.

    Attributes:
        decoder: Name and version.
        index: The frames and their display times.

    Raises:
        UnreadableVideoError: If it holds no frames, or its frame rate is unknown.
    """

    def __init__(self, folder: Path) -> None:
        self.decoder = f"pillow {PIL.__version__}"
        self.index = folder_index(folder)
        self._names = _names(folder)

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file is open between frames."""

    def frames(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Read frames; see :meth:`egobench.video.frame_reader.FrameReader.frames`."""
        for number in numbers:
            if stop.is_set():
                return
            yield self._frame(number)

    def _frame(self, number: int) -> DecodedFrame:
        name = self._names.get(number + 1)
        path = self.index.path / (name or f"frame_{number + 1:010d}")
        if name is None:
            return DecodedFrame(number, None, DamagedVideoError(f"{path}: no such frame; download the frames again"))
        try:
            with Image.open(path) as picture:
                return DecodedFrame(number, np.asarray(picture.convert("RGB")))
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises of damaged JPEG and PNG files
            damage = DamagedVideoError(f"{path}: cannot be decoded ({error}); download the frames again")
            return DecodedFrame(number, None, damage)


def _names(folder: Path) -> dict[int, str]:
    """Return the file names of the frames by number, from 1."""
    try:
        matches = (_FRAME.fullmatch(path.name) for path in folder.iterdir())
        return {int(match[1]): match[0] for match in matches if match}
    except PermissionError as error:
        raise UnreadableVideoError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error


def _rate(folder: Path) -> Fraction:
    rate_file = folder / RATE_FILE
    if rate_file.is_file():
        try:
            rate = Fraction(rate_file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError, ZeroDivisionError) as error:
            raise UnreadableVideoError(f"{rate_file}: {error}; expected a number such as 50 or 60000/1001") from error
        if rate > 0:
            return rate
        raise UnreadableVideoError(f"{rate_file}: {rate} frames a second; expected more than 0")
    released_rate = next((rate for name, rate in _EPIC_RATES if name.fullmatch(folder.stem)), None)
    if released_rate is None:
        raise UnreadableVideoError(
            f"{folder}: its frame rate is not known; write it into {rate_file}, e.g. 30 or 60000/1001"
        )
    return released_rate
