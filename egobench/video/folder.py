"""A video that is stored as a folder of its frames, one picture a frame, as EPIC-KITCHENS releases them.

``frame_0000000001.jpg`` is the first displayed frame, or ``frame_0000000000.jpg`` where there is one; the frame on
display at ``t`` seconds is ``floor(t * rate)`` further on. The rate is not that of ``EPIC_100_video_info.csv``, which
is the camera's: every video was brought to one rate before its frames were taken out, 60 a second for the first part of
the data set (``P01_01``) and 50 for its extension (``P01_101``); see issue 34 of
epic-kitchens/epic-kitchens-100-annotations and issue 8 of epic-kitchens/C2-Action-Detection. Other folders say theirs
in a file ``fps.txt``, e.g. ``60000/1001``.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from threading import Event
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import PIL
from PIL import Image, ImageOps

from egobench.errors import (
    DamagedVideoError,
    MissingVideoError,
    UnreadableVideoError,
    UnsupportedVideoError,
    VideoError,
    bare_reason,
)
from egobench.video.files import is_file, is_folder, video_status
from egobench.video.frame_reader import DecodedFrame
from egobench.video.index import VideoIndex
from egobench.video.sampling import Size, square_pixel_size

RATE_FILE: Final = "fps.txt"
"""File in a folder of frames that says how many of them are displayed a second."""

MOST_DIGITS: Final = 9
"""Digits of numerator and denominator of a rate."""

_FIRST_FRAMES: Final = tuple(f"frame_{number:010d}{suffix}" for number in (1, 0) for suffix in (".jpg", ".png"))
_FRAME: Final = re.compile(r"frame_([0-9]{10})\.(?:jpg|png)")
_RATE: Final = re.compile(rf"-?[0-9]{{1,{MOST_DIGITS}}}(?:\.[0-9]{{0,{MOST_DIGITS}}}|/[0-9]{{1,{MOST_DIGITS}}})?")
_EXIF_ORIENTATION: Final = 0x0112  # 5 to 8: rows and columns change places
_PICTURE_ERRORS: Final = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises
_EPIC_RATES: Final = ((re.compile(r"P\d{2}_\d{2}"), Fraction(60)), (re.compile(r"P\d{2}_\d{3}"), Fraction(50)))


def stored_as(path: Path) -> Path:
    """Return where a video lies: the path itself, or a folder of frames where there is no such file.

    Args:
        path: A video, e.g. ``P01/P01_11.MP4``, which ``P01/P01_11``, ``P01/rgb_frames/P01_11`` or a folder of its own
            name may stand for.
    """
    if is_file(path) or not path.name:
        return path
    stem = path.with_suffix("")
    folders = (path, stem, path.parent / "rgb_frames" / stem.name)
    return next((folder for folder in folders if holds_frames(folder)), path)


def holds_frames(folder: Path) -> bool:
    """Tell whether a folder holds the first frame of a video."""
    return is_folder(folder) and any(is_file(folder / name) for name in _FIRST_FRAMES)


def folder_index(folder: Path) -> VideoIndex:
    """List a folder of frames; every picture is a packet that can be decoded alone.

    Raises:
        UnreadableVideoError: If it holds no frames, the first is no picture, or its frame rate is unknown.
    """
    names = _names(folder)
    if 1 not in names and 0 not in names:
        raise UnreadableVideoError(
            f"{folder}: a folder without {_FIRST_FRAMES[0]}; expected the frames of a video, or a file"
        )
    first = min(names)
    rate, count = _rate(folder), max(names) - first + 1
    if count > 2 * len(names):
        raise UnreadableVideoError(f"{folder}: holds {len(names)} of {count} frames; download the frames again")
    with _open_picture(folder / names[first]) as picture:
        width, height = picture.size[::-1] if picture.getexif().get(_EXIF_ORIENTATION, 1) >= 5 else picture.size
        codec = str(picture.format).lower()
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
        pixel_aspect=Fraction(1),
        turned_by_message=False,
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
        raise UnreadableVideoError(f"{folder}: no folder of frames that can be read ({bare_reason(error)})") from error


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
        self._first = min(self._names)

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
        name = self._names.get(self._first + number)
        path = self.index.path / (name or f"frame_{self._first + number:010d}")
        if name is None:
            return DecodedFrame(number, None, DamagedVideoError(f"{path}: no such frame; download the frames again"))
        try:
            with _open_picture(path) as picture:
                return DecodedFrame(number, rgb_pixels(picture))
        except _PICTURE_ERRORS as error:
            damage = DamagedVideoError(f"{path}: cannot be decoded ({error}); download the frames again")
            return DecodedFrame(number, None, damage)
        except UnreadableVideoError as error:
            return DecodedFrame(number, None, DamagedVideoError(str(error)))
        except VideoError as error:
            return DecodedFrame(number, None, error)


def rgb_pixels(picture: Image.Image) -> np.ndarray:
    """Return the pixels of a picture as it is displayed: uint8 RGB ``(height, width, 3)``.

    It is turned and mirrored as its EXIF orientation says; 16-bit grey is scaled to 8 bits.

    Raises:
        ValueError: If its samples are none that have a black and a white.
        OSError: If it is damaged.
    """
    if picture.mode.startswith(("F", "I")) and not (picture.format == "PNG" and picture.mode.startswith("I")):
        raise ValueError(f"samples of mode {picture.mode} have no white")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        grey = (np.asarray(upright).astype(np.int64) + 128) // 257
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    # A copy: torch takes no array that cannot be written.
    return np.array(upright.convert("RGB"))


@contextmanager
def _open_picture(path: Path) -> Generator[Image.Image, None, None]:
    """Open a picture file.

    Raises:
        UnreadableVideoError: If it is none.
        UnsupportedVideoError: If its pixels are oblong.
    """
    if not S_ISREG(video_status(path).st_mode):
        raise UnreadableVideoError(f"{path}: no file; expected a picture")
    try:
        picture = Image.open(path)
    except _PICTURE_ERRORS as error:
        raise UnreadableVideoError(f"{path}: no picture ({error}); download the frames again") from error
    with picture:
        size, aspect = Size(*picture.size), _pixel_aspect(picture)
        # Programs disagree which of two densities is the width's: either way round the pixels must be square.
        if square_pixel_size(size, aspect) != size:
            raise UnsupportedVideoError(f"{path}: its pixels are oblong, {aspect}; write the frames with square pixels")
        yield picture


def _pixel_aspect(picture: Image.Image) -> Fraction:
    """Return the ratio of a picture's two densities, 1 where it gives none."""
    densities: Any = picture.info.get("aspect") or picture.info.get("jfif_density") or picture.info.get("dpi")
    try:
        horizontal, vertical = (Fraction(density) for density in densities or (1, 1))
        return horizontal / vertical if horizontal > 0 and vertical > 0 else Fraction(1)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return Fraction(1)


def _names(folder: Path) -> dict[int, str]:
    """Return the file names of the frames by number."""
    names: dict[int, str] = {}
    try:
        matches = [match for path in folder.iterdir() if (match := _FRAME.fullmatch(path.name))]
    except OSError as error:
        raise UnreadableVideoError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
    for match in matches:
        if names.setdefault(int(match[1]), match[0]) != match[0]:
            raise UnreadableVideoError(f"{folder}: holds two frames {match[1]}, .jpg and .png; expected one")
    return names


def _rate(folder: Path) -> Fraction:
    rate_file = folder / RATE_FILE
    if is_file(rate_file):
        try:
            with rate_file.open(encoding="utf-8") as file:
                text = file.read(3 * MOST_DIGITS).strip()
            if not _RATE.fullmatch(text):
                raise ValueError(repr(text))
            rate = Fraction(text)
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
