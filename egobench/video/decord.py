"""decord, for reproducing runs that were made with it and for nothing else.

Files of which it returns wrong frames are refused: those with an edit list (it counts the packets before the start) or
with open groups of pictures (after a seek it is a frame late), AVI, MPEG-TS and raw streams. A reader goes on decoding
in the background, gigabytes of frames, as long as it is alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

import numpy as np

from egobench.errors import UnreadableVideoError, UnsupportedVideoError
from egobench.video.backends import Shot
from egobench.video.chunks import package, shots
from egobench.video.facts import read_index
from egobench.video.index import VideoIndex


class DecordReader:
    """One open file.

    Attributes:
        decoder: Name and version.
        index: What is in the file.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
        UnsupportedVideoError: If it is of a kind of which decord returns wrong frames.
        ValueError: If decord is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        library = package("decord")
        self.decoder = f"decord {library.__version__}"
        self._failures = (library.DECORDError, RuntimeError, IndexError)
        self.index = read_index(path)
        problem = _wrong(self.index)
        if problem is not None:
            raise UnsupportedVideoError(f"{path}: decord returns wrong frames of {problem}; use the decoder pyav")
        try:
            self._video: Any = library.VideoReader(str(path), ctx=library.cpu(0), num_threads=threads)
        except self._failures as error:
            reason = str(error).strip().partition("\n")[0]
            raise UnreadableVideoError(f"{path}: decord cannot open it ({reason}); use the decoder pyav") from error
        if len(self._video) != len(self.index.times):
            raise UnsupportedVideoError(
                f"{path}: decord sees {len(self._video)} frames of {len(self.index.times)}; use the decoder pyav"
            )

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop decoding in the background and close the file."""
        del self._video

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode frames; see :meth:`egobench.video.backends.Reader.shots`."""
        return shots(self.index, wanted, self._fetch, self._failures, stop)

    def _fetch(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        stamps: np.ndarray = self._video.get_frame_timestamp(numbers)[:, 0]
        start = float(self._video.get_frame_timestamp(0)[0])
        return self._video.get_batch(numbers).asnumpy(), stamps - start


def _wrong(index: VideoIndex) -> str | None:
    """The kind of file this is, if decord is known to return wrong frames of it."""
    if not index.exact:
        return f"{index.container} files"
    if index.hidden.any():
        return "files with an edit list"
    keys = np.flatnonzero(index.key)
    latest = index.pts[keys[np.searchsorted(keys, np.arange(len(index.pts)), side="right") - 1]]
    return "files with open groups of pictures" if (index.pts < latest).any() else None
