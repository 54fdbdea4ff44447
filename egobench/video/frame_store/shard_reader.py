"""Reading of shards: a bounded number of them open, any thread, any process."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np

from egobench.errors import FrameStoreError, UnsupportedVideoError
from egobench.video.frame_store.index import FramePlace
from egobench.video.frame_store.shards import read_into

OPEN_SHARDS: Final = 64
"""Shards that a reader has open at most."""


class _OpenShard:
    """A shard, open for as long as a thread reads from it or the reader remembers it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise FrameStoreError(
                f"{path}: cannot be read ({error.strerror}); copy the file again, or fill the store again"
            ) from error

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class ShardReader:
    """Reads bytes of shards. Positions are never shared, so that a fork of the process reads on undisturbed."""

    def __init__(self) -> None:
        self._shards: OrderedDict[Path, _OpenShard] = OrderedDict()
        self._lock = Lock()

    def read(self, path: Path, target: memoryview, offset: int) -> None:
        """Read bytes.

        Args:
            path: The shard.
            target: As many bytes as are to be read.
            offset: Where they begin.

        Raises:
            FrameStoreError: If the shard does not have them, or cannot be read.
        """
        read_into(self._open(path).descriptor, target, offset, path)

    def frames(self, places: Sequence[FramePlace]) -> np.ndarray:
        """Read the frames of a clip; those that lie behind one another in one go.

        Returns:
            uint8 RGB ``(n_frames, height, width, 3)``.

        Raises:
            UnsupportedVideoError: If they differ in size.
            FrameStoreError: If a shard does not have them, or cannot be read.
        """
        sizes = {(place.row.height, place.row.width) for place in places}
        if len(sizes) > 1:
            raise UnsupportedVideoError(f"the size of the picture changes within a clip: {sorted(sizes)}")
        frames = np.empty((len(places), *sizes.pop(), 3), np.uint8)
        start = 0
        for end in range(1, len(places) + 1):
            if end == len(places) or not _is_behind(places[end], places[end - 1]):
                first = places[start]
                self.read(first.shard, frames[start:end].data.cast("B"), first.offset)
                start = end
        return frames

    def _open(self, path: Path) -> _OpenShard:
        with self._lock:
            shard = self._shards.pop(path, None) or _OpenShard(path)
            self._shards[path] = shard
            if len(self._shards) > OPEN_SHARDS:
                self._shards.popitem(last=False)
            return shard


def _is_behind(place: FramePlace, before: FramePlace) -> bool:
    return place.shard == before.shard and place.offset == before.offset + before.row.frame_bytes
