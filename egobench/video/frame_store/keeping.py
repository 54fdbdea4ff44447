"""Keeping of decoded clips: of their frames those that no clip before had, and the rows that speak of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from egobench.errors import UnreadableVideoError
from egobench.video.clips import ClipRequest, DecodedClip
from egobench.video.facts import index_of
from egobench.video.frame_store.catalogue import FrameCatalogue, KnownFile
from egobench.video.frame_store.index import Rendition
from egobench.video.frame_store.rows import ClipRow, FileRow, VideoRow
from egobench.video.frame_store.shards import ShardWriter
from egobench.video.plan import Timeline
from egobench.video.resize import resizer


class ClipKeeper:
    """Appends clips to a frame store; used by any number of threads.

    Args:
        catalogue: The store.
        writer: Where frames go.
    """

    def __init__(self, catalogue: FrameCatalogue, writer: ShardWriter) -> None:
        self._catalogue, self._writer = catalogue, writer
        self._lock = Lock()

    def keep_file(self, file: KnownFile) -> None:
        """Write which content a file has, unless the store knows.

        Raises:
            FrameStoreError: If the store cannot be written.
        """
        with self._lock:
            if self._catalogue.index.video(file.fingerprint) is None:
                self._append(FileRow(file.fingerprint, file.video))

    def keep_timeline(self, path: Path, video: str) -> Timeline:
        """Write the display times of a video, unless the store has them.

        Args:
            path: The file.
            video: Hash of its content.

        Returns:
            The times.

        Raises:
            FrameStoreError: If the store cannot be written, or is damaged.
            VideoError: If the file cannot be read.
        """
        timeline = self._catalogue.timeline(video)
        if timeline is not None:
            return timeline
        index = index_of(path)
        times = np.array(index.times, np.float64)
        with self._lock:
            if self._catalogue.index.timeline(video) is None:
                offset = self._writer.next_offset()
                checksum = zlib.crc32(times.data)
                row = VideoRow(video, index.duration, index.intact_until, offset, len(times), checksum)
                self._append(row, [times])
        return index

    def keep(self, request: ClipRequest, clip: DecodedClip, video: str) -> ClipRow:
        """Write the frames of a clip that the store does not have.

        Args:
            request: The clip.
            clip: Its frames.
            video: Hash of the content that the file had before it was decoded.

        Returns:
            What was written of it.

        Raises:
            FrameStoreError: If the store cannot be written.
            VideoError: If the file has changed since.
        """
        if self._catalogue.content(request.path).video != video:
            raise UnreadableVideoError(f"{request.path}: has changed while it was read; run the same command again")
        receipt = clip.receipt
        rendition = Rendition(video, receipt.decoder, resizer(self._catalogue.resize).name, request.rule.short_side)
        with self._lock:
            new_frames = {
                number: frame
                for number, frame in zip(receipt.indices, clip.frames, strict=True)
                if self._catalogue.index.place(rendition, number) is None
            }
            row = ClipRow(
                *rendition,
                numbers=receipt.indices,
                height=receipt.height,
                width=receipt.width,
                resize=receipt.resize,
                sha256=receipt.sha256,
                offset=self._writer.next_offset(),
                new=tuple(new_frames),
                crc32=tuple(zlib.crc32(frame.data) for frame in new_frames.values()),
            )
            self._append(row, list(new_frames.values()))
        return row

    def flush(self) -> None:
        """Put what was written on disk.

        Raises:
            FrameStoreError: If it cannot be written.
        """
        with self._lock:
            self._writer.flush()

    def _append(self, row: ClipRow | FileRow | VideoRow, parts: Sequence[np.ndarray] = ()) -> None:
        self._writer.append(row, parts)
        self._catalogue.index.add(row, self._writer.path)
