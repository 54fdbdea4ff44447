"""decord, for reproducing runs that were made with it and for nothing else.

Files of which it returns wrong frames are refused: those with an edit list (it counts the packets before the start) or
with open groups of pictures (after a seek it is a frame late), AVI, MPEG-TS and raw streams. A reader goes on decoding
in the background, gigabytes of frames, as long as it is alive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from egobench.errors import UnsupportedVideoError
from egobench.video.self_seeking import FetchedFrames, SelfSeekingReader, import_decoder_package

PIXEL_FORMATS: Final = {
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuva420p",
    "gray", "gbrp", "rgb24", "bgr0", "pal8",
}  # fmt: skip
"""Formats of which decord's pixels are those of ffmpeg: not those of 10 bits, or with a quarter of the chroma."""


class DecordReader(SelfSeekingReader):
    """An open file.

    Raises:
        UnsupportedVideoError: If decord sees another number of frames than there are.
        ValueError: If decord is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._decord, self._threads = import_decoder_package("decord"), threads
        failures = (self._decord.DECORDError, RuntimeError, IndexError)
        super().__init__(path, f"decord {self._decord.__version__}", failures)
        if len(self._video) != len(self.index.times):
            raise UnsupportedVideoError(
                f"{path}: decord sees {len(self._video)} frames of {len(self.index.times)}; use the decoder pyav"
            )

    def _unsupported_kind(self) -> str | None:
        index = self.index
        if not index.seekable:
            return self.unseekable_kind()
        turned_kind = self.wrongly_turned_kind()
        if turned_kind is not None:
            return turned_kind
        if self.picture.colours.pixel_format not in PIXEL_FORMATS:
            return f"videos of pixel format {self.picture.colours.pixel_format}"
        if index.hidden.any():
            return "files with an edit list"
        keys = np.flatnonzero(index.key)
        pts_of_key = index.pts[keys[np.searchsorted(keys, np.arange(len(index.pts)), side="right") - 1]]
        return "files with open groups of pictures" if (index.pts < pts_of_key).any() else None

    def _open(self, path: Path) -> Any:
        return self._decord.VideoReader(str(path), ctx=self._decord.cpu(0), num_threads=self._threads)

    def _fetch(self, numbers: list[int]) -> FetchedFrames:
        times: np.ndarray = self._video.get_frame_timestamp(numbers)[:, 0]
        start = float(self._video.get_frame_timestamp(0)[0])
        return FetchedFrames(self._video.get_batch(numbers).asnumpy(), times - start)
