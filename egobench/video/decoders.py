"""The decoders by name, and how a video is opened with one of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from egobench.video.files import video_status
from egobench.video.frame_reader import FrameReader
from egobench.video.self_seeking import import_decoder_package

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


def decoder_name(decoder: str, path: Path) -> str:
    """Return the name and version that receipts of a video's clips carry, without opening the video.

    Args:
        decoder: ``"pyav"``, ``"torchcodec"`` or ``"decord"``.
        path: The file or folder.

    Raises:
        ValueError: If there is no such decoder, or its package is not installed.
        VideoError: If nothing lies at the path.
    """
    if decoder not in DECODERS:
        raise ValueError(f"no decoder {decoder!r}; there are {', '.join(DECODERS)}")
    if S_ISDIR(video_status(path).st_mode):
        return f"pillow {import_module('PIL').__version__}"
    package = "av" if decoder == "pyav" else decoder
    return f"{decoder} {import_decoder_package(package).__version__}"
