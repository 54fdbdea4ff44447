"""The second decoder: torchcodec in its exact mode.

It needs FFmpeg's libraries; 0.13.0 is the last version on the package index that runs beside a CPU torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from egobench.video.chunks import NumberReader, package


class TorchcodecReader(NumberReader):
    """One open file.

    Raises:
        ValueError: If torchcodec is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._decoders, self._threads = package("torchcodec.decoders"), threads
        super().__init__(
            path, f"torchcodec {package('torchcodec').__version__}", (RuntimeError, ValueError, IndexError)
        )

    def _wrong(self) -> str | None:
        return None if self.index.exact else f"{self.index.container} files"

    def _open(self, path: Path) -> Any:
        return self._decoders.VideoDecoder(
            str(path),
            stream_index=self.index.stream,
            dimension_order="NHWC",
            num_ffmpeg_threads=self._threads,
            seek_mode="exact",
        )

    def _fetch(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        batch = self._video.get_frames_at(numbers)
        first = float(int(self.index.pts[self.index.order[0]]) * self.index.unit)
        return batch.data.numpy(), batch.pts_seconds.numpy() - first
