"""Videos of an episode: each frame is drawn once and handed to every file that shows it.

The frame of index ``k`` at a frame rate ``fps`` shows the moment ``k / fps`` of the episode and is displayed from then
until ``(k + 1) / fps``; a clip from ``start`` to ``end`` holds the frames ``round(start * fps)`` up to and without
``round(end * fps)``.
"""

# PyAV has half of its types.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.video.stream
import numpy as np

from egobench.miniego.drawing import timecode
from egobench.miniego.drawing.renderer import Renderer
from egobench.miniego.drawing.timecode import Picture
from egobench.miniego.world.episode import Episode, View

GROUP_SECONDS: Final = 3.0
"""Longest distance between key frames."""
CONTAINER: Final = {"movflags": "+faststart", "fflags": "+bitexact"}
OPTIONS: Final = {"preset": "veryfast", "crf": "22", "bf": "2", "x264-params": "b-adapt=0:rc-lookahead=4:scenecut=0"}


@dataclass(frozen=True)
class VideoTarget:
    """A video file to be encoded.

    Attributes:
        path: The file; its folder is made when it is missing. It is an MP4 file whatever its name ends in.
        view: ``"ego"`` or ``"exo1"`` to ``"exo4"``.
        start: Seconds from the episode's start.
        end: Seconds from the episode's start, after ``start``.
        fps: Frames a second; 59.94 and its like are written as the nearest fraction with a denominator up to 1001.
        timecode: Whether the strip of :mod:`egobench.miniego.drawing.timecode` is drawn.
        size: Width and height in pixels, both even.
    """

    path: Path
    view: View
    start: float
    end: float
    fps: float
    timecode: bool
    size: tuple[int, int] = (256, 192)

    def __post_init__(self) -> None:
        """Refuse what cannot be encoded.

        Raises:
            ValueError: No frame between start and end, a start before the episode's, or an odd size.
        """
        if self.start < 0 or self.fps <= 0 or not self.indices:
            raise ValueError(f"{self.path}: no frame from {self.start} to {self.end} s at {self.fps} frames a second")
        if self.size[0] % 2 or self.size[1] % 2:
            raise ValueError(f"{self.path}: H.264 needs an even width and height, not {self.size[0]}x{self.size[1]}")

    @property
    def indices(self) -> range:
        """Indices of its frames, counted from the episode's start."""
        return range(round(self.start * self.fps), round(self.end * self.fps))


def write_videos(episode: Episode, targets: Sequence[VideoTarget]) -> None:
    """Render an episode into files, each frame once however many files show it.

    Files appear whole or not at all; the same episode and targets give the same bytes.

    Args:
        episode: What is rendered.
        targets: The files, in any order and of any view, frame rate and size.

    Raises:
        OSError: A file cannot be written.
    """
    groups: defaultdict[tuple[View, float, tuple[int, int]], list[VideoTarget]] = defaultdict(list)
    for target in targets:
        groups[target.view, target.fps, target.size].append(target)
    for (view, fps, size), group in groups.items():
        _write_group(episode, Renderer(episode, view, size), fps, group)


def _write_group(episode: Episode, renderer: Renderer, fps: float, targets: list[VideoTarget]) -> None:
    """Write the files of one view, frame rate and size in one pass over the frames."""
    waiting = sorted(targets, key=lambda target: target.indices.start, reverse=True)
    running: list[_File] = []
    with ExitStack() as stack:
        for index in sorted({index for target in targets for index in target.indices}):
            while waiting and waiting[-1].indices.start == index:
                running.append(stack.enter_context(_File(waiting.pop())))
            picture = renderer.picture(index / fps)
            marked: Picture | None = None
            for file in running:
                if file.target.timecode and marked is None:
                    marked = picture.copy()
                    timecode.draw(marked, episode.number, index)
                file.add(marked if file.target.timecode and marked is not None else picture)
            for file in [file for file in running if file.target.indices.stop == index + 1]:
                file.finish()
                running.remove(file)


class _File:
    """One file being encoded beside its final name."""

    def __init__(self, target: VideoTarget) -> None:
        self.target = target
        target.path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = target.path.with_name(f".{target.path.name}.part")
        self._container = av.open(self._partial, "w", format="mp4", options=CONTAINER)
        rate = Fraction(target.fps).limit_denominator(1001)
        options = OPTIONS | {"g": str(max(1, round(GROUP_SECONDS * target.fps)))}
        self._stream: av.video.stream.VideoStream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = target.size
        self._stream.pix_fmt = "yuv420p"
        # Frame threads change the rate control's decisions with the number of cores, so the bytes would differ.
        self._stream.codec_context.thread_count = 1
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what an interruption left half written."""
        if self._partial.exists():
            self._container.close()
            self._partial.unlink()

    def add(self, picture: Picture) -> None:
        """Encode the next frame."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts = self._count
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what is pending and give the file its name."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._partial.replace(self.target.path)
