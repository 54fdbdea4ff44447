"""For decoders that take frame numbers and plan for themselves: a few frames at a time, every display time verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from threading import Event
from typing import Any, Final

import numpy as np

from egobench.errors import DamagedVideoError
from egobench.video.backends import Shot
from egobench.video.index import VideoIndex

SIZE: Final = 16
"""Frames fetched at a time; all of them are in memory at their native size."""

CLOSE: Final = 1e-3
"""Seconds by which a decoder's display time may differ from the index."""

Fetch = Callable[[list[int]], tuple[np.ndarray, np.ndarray]]
"""Frame numbers to uint8 RGB ``(n, height, width, 3)`` and display times in seconds ``(n,)``."""


def package(name: str) -> Any:
    """An optional package.

    Raises:
        ValueError: If it is not installed, or cannot be loaded.
    """
    try:
        return import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"decoder {name!r} cannot be used ({reason}); try: pip install 'egobench[{name}]'") from error


def shots(
    index: VideoIndex, wanted: Sequence[int], fetch: Fetch, failures: tuple[type[Exception], ...], stop: Event
) -> Iterator[Shot]:
    """Fetch frames in chunks; where a chunk fails, one at a time.

    Args:
        index: The file.
        wanted: Frame numbers, ascending.
        fetch: Decodes some frames.
        failures: What ``fetch`` raises on damage.
        stop: Ends the reading early once it is set.
    """
    for first in range(0, len(wanted), SIZE):
        chunk = list(wanted[first : first + SIZE])
        try:
            found = list(_fetched(index, chunk, fetch))
        except failures:
            found = [_single(index, number, fetch, failures) for number in chunk]
        if stop.is_set():
            return
        yield from found


def _single(index: VideoIndex, number: int, fetch: Fetch, failures: tuple[type[Exception], ...]) -> Shot:
    try:
        return next(_fetched(index, [number], fetch))
    except failures as error:
        reason = str(error).strip().partition("\n")[0][:200]
        return _lost(index, number, reason)


def _fetched(index: VideoIndex, chunk: list[int], fetch: Fetch) -> Iterator[Shot]:
    frames, times = fetch(chunk)
    for number, pixels, time in zip(chunk, frames, times.tolist(), strict=True):
        if abs(time - index.times[number]) > CLOSE:
            yield _lost(index, number, f"the decoder gave the frame at {time:.3f} s instead")
        else:
            yield Shot(number, pixels)


def _lost(index: VideoIndex, number: int, reason: str) -> Shot:
    problem = DamagedVideoError(
        f"{index.path}: the frame at {index.times[number]:.3f} s cannot be decoded ({reason}); "
        "download the file again, or use the decoder pyav"
    )
    return Shot(number, None, problem)
