"""torchcodec, the second decoder, in its exact mode.

It needs FFmpeg's libraries; 0.13.0 is the last version on the package index that runs beside a CPU torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from egobench.video.self_seeking import FetchedFrames, SelfSeekingReader, import_decoder_package


class TorchcodecReader(SelfSeekingReader):
    """An open file.

    Raises:
        ValueError: If torchcodec is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._decoders, self._threads = import_decoder_package("torchcodec.decoders"), threads
        version = import_decoder_package("torchcodec").__version__
        super().__init__(path, f"torchcodec {version}", (RuntimeError, ValueError, IndexError))

    def _unsupported_kind(self) -> str | None:
        if not self.index.seekable:
            return self.unseekable_kind()
        turned_kind = self.wrongly_turned_kind()
        if turned_kind is not None:
            return turned_kind
        colours = self.picture.colours
        if colours.matrix and colours.full_range and not colours.pixel_format.startswith("yuvj"):
            return f"full-range videos of pixel format {colours.pixel_format}"
        return None

    def _open(self, path: Path) -> Any:
        return self._decoders.VideoDecoder(
            str(path),
            stream_index=self.index.stream,
            dimension_order="NHWC",
            num_ffmpeg_threads=self._threads,
            seek_mode="exact",
        )

    def _fetch(self, numbers: list[int]) -> FetchedFrames:
        batch = self._video.get_frames_at(numbers)
        start = float(int(self.index.pts[self.index.order[0]]) * self.index.time_base)
        return FetchedFrames(batch.data.numpy(), batch.pts_seconds.numpy() - start)
