"""For decoders that take frame numbers and plan for themselves: a few frames at a time, every display time verified."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from egobench.errors import DamagedVideoError, UnreadableVideoError, UnsupportedVideoError, install_command
from egobench.video.backends import Shot
from egobench.video.facts import read_index

SIZE: Final = 16
"""Frames fetched at a time; all of them are in memory at their native size."""

CLOSE: Final = 1e-3
"""Seconds by which a decoder's display time may differ from the index."""


class NumberReader(ABC):
    """An open file of a decoder that takes frame numbers. It belongs to the thread that opened it.

    Args:
        path: The file.
        decoder: The decoder's name and version.
        failures: What the decoder raises when it cannot read a file or a frame.

    Attributes:
        decoder: Name and version.
        index: What is in the file.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
        UnsupportedVideoError: If it is of a kind of which the decoder returns wrong frames.
    """

    def __init__(self, path: Path, decoder: str, failures: tuple[type[Exception], ...]) -> None:
        self.decoder = decoder
        self.index = read_index(path)
        self._failures = failures
        name, problem = decoder.partition(" ")[0], self._wrong()
        if problem is not None:
            raise UnsupportedVideoError(f"{path}: {name} returns wrong frames of {problem}; use the decoder pyav")
        try:
            self._video = self._open(path)
        except failures as error:
            reason = str(error).strip().partition("\n")[0]
            raise UnreadableVideoError(f"{path}: {name} cannot open it ({reason}); use the decoder pyav") from error

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the decoder's own reader, which closes the file and stops decoding in the background."""
        del self._video

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode frames in chunks, and where a chunk fails, one at a time.

        See :meth:`egobench.video.backends.Reader.shots`.
        """
        for first in range(0, len(wanted), SIZE):
            chunk = list(wanted[first : first + SIZE])
            try:
                found = list(self._verified(chunk))
            except self._failures:
                found = [self._single(number) for number in chunk]
            if stop.is_set():
                return
            yield from found

    @abstractmethod
    def _wrong(self) -> str | None:
        """The kind of file this is, if the decoder is known to return wrong frames of it."""

    @abstractmethod
    def _open(self, path: Path) -> Any:
        """The decoder's own reader."""

    @abstractmethod
    def _fetch(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Frames, uint8 RGB ``(n, height, width, 3)``, and seconds from the first displayed frame ``(n,)``."""

    def _single(self, number: int) -> Shot:
        try:
            return next(self._verified([number]))
        except self._failures as error:
            return self._lost(number, str(error).strip().partition("\n")[0][:200])

    def _verified(self, chunk: list[int]) -> Iterator[Shot]:
        frames, times = self._fetch(chunk)
        for number, pixels, time in zip(chunk, frames, times.tolist(), strict=True):
            if abs(time - self.index.times[number]) > CLOSE:
                yield self._lost(number, f"the decoder gave the frame at {time:.3f} s instead")
            else:
                yield Shot(number, pixels)

    def _lost(self, number: int, reason: str) -> Shot:
        problem = DamagedVideoError(
            f"{self.index.path}: the frame at {self.index.times[number]:.3f} s cannot be decoded ({reason}); "
            "download the file again, or use the decoder pyav"
        )
        return Shot(number, None, problem)


def package(name: str) -> Any:
    """An optional package.

    Raises:
        ValueError: If it is not installed, or cannot be loaded.
    """
    try:
        return import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"decoder {name!r} cannot be used ({reason}); try: {install_command(name)}") from error
