"""What every decoder looks like from outside, and how one is had by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from egobench.errors import VideoError
from egobench.video.index import VideoIndex

DECODERS: Final = {"pyav": "PyavReader", "torchcodec": "TorchcodecReader", "decord": "DecordReader"}


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One displayed frame of a file, or why it cannot be had.

    Attributes:
        number: Its number in order of display.
        pixels: uint8 RGB ``(height, width, 3)``, upright; ``None`` with an error.
        error: Why there are no pixels.
    """

    number: int
    pixels: np.ndarray | None
    error: VideoError | None = None


class Reader(Protocol):
    """An open file. It belongs to the thread that opened it."""

    @property
    def decoder(self) -> str:
        """The decoder's name and version."""
        ...

    @property
    def index(self) -> VideoIndex:
        """What is in the file."""
        ...

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode frames.

        Args:
            wanted: Their numbers, ascending, each once.
            stop: Decoding ends early once it is set.

        Yields:
            Each wanted frame once, in order of display where the file allows it, without those that are never met.
        """
        ...

    def __enter__(self) -> Self:
        """The reader itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        ...


def open_reader(decoder: str, path: Path, threads: int) -> Reader:
    """Open a file with the decoder of that name, or a folder of frames, which needs none.

    Args:
        decoder: ``"pyav"``, ``"torchcodec"`` or ``"decord"``.
        path: The file or folder.
        threads: Threads that the decoder itself may use, at least 1.

    Raises:
        ValueError: If there is no such decoder.
        VideoError: If the file cannot be read, or the decoder's package is not installed.
    """
    if decoder not in DECODERS:
        raise ValueError(f"no decoder {decoder!r}; there are {', '.join(DECODERS)}")
    if path.is_dir():
        folder: Reader = import_module("egobench.video.folder").FolderReader(path)
        return folder
    reader: Reader = getattr(import_module(f"egobench.video.{decoder}"), DECODERS[decoder])(path, threads)
    return reader
