"""The decoders by name, and how a video is opened with one of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from egobench.video.files import video_status
from egobench.video.frame_reader import FrameReader

DECODERS: Final = {"pyav": "PyavReader", "torchcodec": "TorchcodecReader", "decord": "DecordReader"}


def open_reader(decoder: str, path: Path, threads: int) -> FrameReader:
    """Open a file with the decoder of that name, or a folder of frames, which needs no decoder.

    Args:
        decoder: ``"pyav"``, ``"torchcodec"`` or ``"decord"``.
        path: The file or folder.
        threads: Threads that the decoder itself may use, at least 1.

    Raises:
        ValueError: If there is no such decoder, or its package is not installed.
        VideoError: If the file cannot be read.
    """
    if decoder not in DECODERS:
        raise ValueError(f"no decoder {decoder!r}; there are {', '.join(DECODERS)}")
    if S_ISDIR(video_status(path).st_mode):
        folder: FrameReader = import_module("egobench.video.folder").FolderReader(path)
        return folder
    reader: FrameReader = getattr(import_module(f"egobench.video.{decoder}"), DECODERS[decoder])(path, threads)
    return reader
