"""Decoders that take frame numbers and seek for themselves: a few frames at a time, every display time verified."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np

from egobench.errors import DamagedVideoError, UnreadableVideoError, UnsupportedVideoError, install_command
from egobench.video.frame_reader import DecodedFrame
from egobench.video.index import SEEKABLE_CONTAINERS, read_index
from egobench.video.picture import picture_format
from egobench.video.sampling import Size, square_pixel_size

CHUNK_FRAMES: Final = 16
"""Frames fetched at a time; all of them are in memory at their native size."""

TIME_TOLERANCE: Final = 1e-3
"""Seconds by which a decoder's display time may differ from the index."""


class FetchedFrames(NamedTuple):
    """What a decoder returns for a list of frame numbers.

    Attributes:
        pixels: uint8 RGB ``(n, height, width, 3)``.
        times: Seconds from the first displayed frame, ``(n,)``.
    """

    pixels: np.ndarray
    times: np.ndarray


class SelfSeekingReader(ABC):
    """An open file of a decoder that takes frame numbers. It belongs to the thread that opened it.

    Args:
        path: The file.
        decoder: The decoder's name and version.
        failures: The exceptions by which the decoder says that it cannot read a file or a frame.

    Attributes:
        decoder: Name and version.
        index: The packets and display times of the file.
        picture: The colours, orientation and shape of its pixels.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
        UnsupportedVideoError: If it is of a kind of which the decoder returns wrong frames.
    """

    def __init__(self, path: Path, decoder: str, failures: tuple[type[Exception], ...]) -> None:
        self.decoder = decoder
        self.index = read_index(path)
        self.picture = picture_format(path)
        self._failures = failures
        name, kind = decoder.partition(" ")[0], self._unsupported_kind()
        if kind is not None:
            raise UnsupportedVideoError(f"{path}: {name} returns wrong frames of {kind}; use the decoder pyav")
        try:
            self._video = self._open(path)
        except failures as error:
            reason = _first_line(error)
            raise UnreadableVideoError(f"{path}: {name} cannot open it ({reason}); use the decoder pyav") from error

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the decoder's own reader, which closes the file and stops decoding in the background."""
        del self._video

    def frames(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode frames in chunks, and the frames of a failed chunk separately.

        See :meth:`egobench.video.frame_reader.FrameReader.frames`.
        """
        for first in range(0, len(numbers), CHUNK_FRAMES):
            chunk = list(numbers[first : first + CHUNK_FRAMES])
            try:
                decoded = list(self._fetch_verified(chunk))
            except self._failures:
                decoded = [self._fetch_single(number) for number in chunk]
            if stop.is_set():
                return
            yield from decoded

    def unseekable_kind(self) -> str:
        """Name the kind of file this is, where frames cannot be found by seeking."""
        if self.index.container in SEEKABLE_CONTAINERS:
            return f"{self.index.container} files without display times"
        return f"{self.index.container} files"

    def wrongly_turned_kind(self) -> str | None:
        """Name the kind of file this is, where the decoder does not show it upright."""
        if not self.picture.orientation.keeps_handedness:
            return "mirrored videos"
        return "videos turned by a message among the pictures" if self.index.turned_by_message else None

    @abstractmethod
    def _unsupported_kind(self) -> str | None:
        """Name the kind of file this is, if the decoder is known to return wrong frames of it."""

    @abstractmethod
    def _open(self, path: Path) -> Any:
        """Open the decoder's own reader."""

    @abstractmethod
    def _fetch(self, numbers: list[int]) -> FetchedFrames:
        """Decode frames by number."""

    def _fetch_single(self, number: int) -> DecodedFrame:
        try:
            return next(self._fetch_verified([number]))
        except self._failures as error:
            return self._damaged(number, _first_line(error)[:200])

    def _fetch_verified(self, chunk: list[int]) -> Iterator[DecodedFrame]:
        fetched = self._fetch(chunk)
        for number, pixels, time in zip(chunk, fetched.pixels, fetched.times.tolist(), strict=True):
            if abs(time - self.index.times[number]) > TIME_TOLERANCE:
                yield self._damaged(number, f"the decoder gave the frame at {time:.3f} s instead")
            else:
                yield DecodedFrame(number, pixels, square_size=self._square_size(pixels))

    def _square_size(self, pixels: np.ndarray) -> Size:
        orientation, stored = self.picture.orientation, Size(pixels.shape[1], pixels.shape[0])
        size = square_pixel_size(orientation.apply_to_size(stored), self.picture.pixel_aspect)
        return orientation.apply_to_size(size)

    def _damaged(self, number: int, reason: str) -> DecodedFrame:
        error = DamagedVideoError(
            f"{self.index.path}: the frame at {self.index.times[number]:.3f} s cannot be decoded ({reason}); "
            "download the file again, or use the decoder pyav"
        )
        return DecodedFrame(number, None, error)


def import_decoder_package(name: str) -> Any:
    """Import the optional package of a decoder.

    Raises:
        ValueError: If it is not installed, or cannot be loaded.
    """
    try:
        return import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"decoder {name!r} cannot be used ({reason}); try: {install_command(name)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
