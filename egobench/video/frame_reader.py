"""The interface of every open video: frame numbers in, decoded frames out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from egobench.errors import VideoError
from egobench.video.index import VideoIndex
from egobench.video.sampling import Size

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """One displayed frame of a video, or the reason why it cannot be decoded.

    Attributes:
        number: Its number in display order, from 0.
        pixels: uint8 RGB ``(height, width, 3)``, upright; ``None`` with an error.
        error: Why there are no pixels.
        square_size: Width and height of the picture once its pixels are square; ``None`` where they are.
    """

    number: int
    pixels: np.ndarray | None
    error: VideoError | None = None
    square_size: Size | None = None


class FrameReader(Protocol):
    """An open video. It belongs to the thread that opened it."""

    @property
    def decoder(self) -> str:
        """The decoder's name and version."""
        ...

    @property
    def index(self) -> VideoIndex:
        """The packets and display times of the video."""
        ...

    def frames(self, numbers: Sequence[int], stop: Event) -> Iterator[DecodedFrame]:
        """Decode frames.

        Args:
            numbers: Their numbers in display order, ascending and distinct.
            stop: Decoding ends early once it is set.

        Yields:
            Each frame once, in display order where the file allows it; frames that the decoder never puts out are left
            out.
        """
        ...

    def __enter__(self) -> Self:
        """Return the reader itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        ...
