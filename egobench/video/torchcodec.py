"""The second decoder: torchcodec in its exact mode.

It needs FFmpeg's libraries; 0.13.0 is the last version on the package index that runs beside a CPU torch.
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

FAILURES = (RuntimeError, ValueError, IndexError)


class TorchcodecReader:
    """One open file.

    Attributes:
        decoder: Name and version.
        index: What is in the file.

    Raises:
        MissingVideoError: If there is no such file.
        UnreadableVideoError: If it is no video.
        UnsupportedVideoError: If it is of a kind of which torchcodec returns wrong frames.
        ValueError: If torchcodec is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        library = package("torchcodec")
        self.decoder = f"torchcodec {library.__version__}"
        self.index = read_index(path)
        if not self.index.exact:
            raise UnsupportedVideoError(
                f"{path}: torchcodec returns wrong frames of {self.index.container} files; use the decoder pyav"
            )
        try:
            self._video: Any = package("torchcodec.decoders").VideoDecoder(
                str(path),
                stream_index=self.index.stream,
                dimension_order="NHWC",
                num_ffmpeg_threads=threads,
                seek_mode="exact",
            )
        except FAILURES as error:
            reason = str(error).partition("\n")[0]
            raise UnreadableVideoError(f"{path}: torchcodec cannot open it ({reason}); use the decoder pyav") from error

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, which torchcodec does with its decoder."""
        del self._video

    def shots(self, wanted: Sequence[int], stop: Event) -> Iterator[Shot]:
        """Decode frames; see :meth:`egobench.video.backends.Reader.shots`."""
        return shots(self.index, wanted, self._fetch, FAILURES, stop)

    def _fetch(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        batch = self._video.get_frames_at(numbers)
        first = float(int(self.index.pts[self.index.order[0]]) * self.index.unit)
        return batch.data.numpy(), batch.pts_seconds.numpy() - first
