"""Folders of the frames of an episode, as PNG files."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from egobench.miniego.drawing import timecode as strip
from egobench.miniego.drawing.renderer import Renderer
from egobench.miniego.world.episode import Episode

COMPRESSION = 3
"""Level of zlib, in [0, 9]."""


def write_frames(episode: Episode, folder: Path, fps: float, *, timecode: bool) -> None:
    """Render the wearer's view of an episode into ``<index>-rgb.png`` files, as OpenEQA names them.

    The folder appears whole or not at all; the frame of index ``k`` shows the moment ``k / fps``.

    Args:
        episode: The episode.
        folder: Folder to write; what it held is replaced.
        fps: Frames a second.
        timecode: Whether the frames show episode and frame number in a strip.

    Raises:
        OSError: A file cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    renderer = Renderer(episode, "ego")
    try:
        for index in range(round(episode.seconds * fps)):
            picture = renderer.picture(index / fps)
            if timecode:
                strip.draw(picture, episode.number, index)
            Image.fromarray(picture).save(partial / f"{index:05d}-rgb.png", compress_level=COMPRESSION)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
