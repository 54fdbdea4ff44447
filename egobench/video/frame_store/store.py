"""The frame store: how much it would take, filling it, and reading clips from it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from egobench.errors import FrameStoreError, MissingFramesError
from egobench.observer import Observer, SilentObserver
from egobench.video.clips import ClipRequest, DecodedClip
from egobench.video.frame_store.catalogue import FrameCatalogue
from egobench.video.frame_store.filling import Filling, FillReport, StoreEstimate, check_space, plan_filling
from egobench.video.frame_store.index import FramePlace, StoredTimeline
from egobench.video.frame_store.keeping import ClipKeeper
from egobench.video.frame_store.rows import ClipRow, has_changed
from egobench.video.frame_store.shards import SHARD_BYTES, ShardWriter
from egobench.video.plan import frames_of_clip
from egobench.video.receipts import Receipt, pixel_hash
from egobench.video.resize import ResizeKind


class FrameStore:
    """Decoded frames in a folder, for any number of processes that read and write at the same time.

    Args:
        folder: The store; made by the first :meth:`fill`.
        decoder: See :func:`egobench.video.read_clips`.
        resize: See :func:`egobench.video.read_clips`.
        shard_bytes: Bytes after which a writer goes on in another file.

    Attributes:
        folder: The store.
        catalogue: Looks up what is in it.
        shard_bytes: Bytes after which a writer goes on in another file.

    Raises:
        FrameStoreVersionError: If the folder holds a store of another version.
        FrameStoreError: If it is damaged, or cannot be read.
    """

    def __init__(
        self, folder: Path, *, decoder: str = "pyav", resize: ResizeKind = "auto", shard_bytes: int = SHARD_BYTES
    ) -> None:
        self.folder, self.shard_bytes = folder, shard_bytes
        self.catalogue = FrameCatalogue(folder, decoder, resize)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the arguments alone, for worker processes that are not forked."""
        return _reopen, (self.folder, self.catalogue.decoder, self.catalogue.resize, self.shard_bytes)

    def estimate(self, requests: Iterable[ClipRequest]) -> StoreEstimate:
        """Count what :meth:`fill` would add, from the files' indexes; nothing is decoded or written.

        Raises:
            ValueError: If two different clips have the same key.
            FrameStoreError: If the store is damaged, or cannot be read.
        """
        return plan_filling(self.catalogue, requests).estimate

    def fill(
        self,
        requests: Iterable[ClipRequest],
        *,
        workers: int = 1,
        limit: int | None = None,
        observer: Observer | None = None,
    ) -> FillReport:
        """Decode what is missing, one pass per file, and keep it; what is there is never decoded again.

        Several processes may fill a store with the same clips at once: each decodes files that no other is at.

        Args:
            requests: The clips.
            workers: Files decoded at a time, a thread each; at least 1.
            limit: Bytes that may be added at most; ``None`` for what the disk has.
            observer: Receives progress by clip, a note of what it will take, and a warning per clip that cannot be
                decoded.

        Raises:
            FrameStoreSpaceError: If the frames need more room; nothing is written.
            FrameStoreError: If the store cannot be written; what was written before is kept.
            ValueError: If two different clips have the same key, or ``workers`` is less than 1.
        """
        if workers < 1:
            raise ValueError(f"workers is {workers}; expected at least 1")
        observer = observer or SilentObserver()
        plan = plan_filling(self.catalogue, requests)
        estimate = plan.estimate
        observer.note(
            f"{estimate.frames:,} frames of {estimate.files:,} files to decode: {estimate.bytes:,} bytes; "
            f"{estimate.free_bytes:,} are free"
        )
        check_space(self.folder, estimate, limit)
        report = FillReport(estimate.clips, estimate.stored)
        observer.begin("clips", estimate.clips, estimate.stored)
        with ShardWriter(self.folder, self.shard_bytes) as writer:
            Filling(self.catalogue, ClipKeeper(self.catalogue, writer), report, observer).fill(plan, workers)
        return report

    def read(self, request: ClipRequest, *, check: bool = False) -> DecodedClip:
        """Read the frames of a clip: the very pixels, times and receipt that decoding it gives.

        Args:
            request: The clip; need not be one that the store was filled with, as long as its frames are there.
            check: Compare every frame with its checksum, and all of them with the hash in the receipt.

        Raises:
            MissingFramesError: If the store does not have all of them.
            FrameStoreError: If a shard is damaged, or cannot be read.
            VideoError: If there is no such video, or it ends before the clip starts.
        """
        catalogue = self.catalogue
        video = catalogue.content(request.path).video
        timeline = self._timeline(video, request)
        numbers = frames_of_clip(timeline, request)
        rendition = catalogue.rendition(video, request)
        places = catalogue.places(rendition, numbers)
        if places is None:
            catalogue.index.refresh()
            places = catalogue.places(rendition, numbers)
        if places is None:
            raise self._missing(video, request)
        frames = catalogue.shards.frames(places)
        row = catalogue.index.clip(rendition, numbers)
        if check:
            self._check(request, frames, places, row)
        times = np.array([timeline.times[number] for number in numbers])
        resizes = {place.row.resize for place in places} - {"none"}
        receipt = Receipt(
            times=tuple(round(time, 6) for time in times.tolist()),
            indices=numbers,
            width=frames.shape[2],
            height=frames.shape[1],
            decoder=rendition.decoder,
            resize=row.resize if row else max(resizes, default="none"),
            sha256=row.sha256 if row else pixel_hash(frames),
        )
        return DecodedClip(request.key, frames, times, receipt)

    def _timeline(self, video: str, request: ClipRequest) -> StoredTimeline:
        timeline = self.catalogue.timeline(video)
        if timeline is None:
            self.catalogue.index.refresh()
            timeline = self.catalogue.timeline(video)
        if timeline is None:
            raise self._missing(video, request)
        return timeline

    def _missing(self, video: str, request: ClipRequest) -> MissingFramesError:
        rendition, index = self.catalogue.rendition(video, request), self.catalogue.index
        others = [other for other in index.renditions(video) if other != rendition]
        beside = "".join(f"; it has frames of this video by {other.describe()}" for other in others[:3])
        lost = f"; {index.lost_rows} rows speak of bytes that are not in their shards" if index.lost_rows else ""
        return MissingFramesError(
            f"{self.folder}: lacks frames of clip {request.key!r} of {request.path} by {rendition.describe()}"
            f"{beside}{lost}; fill the store with the clip"
        )

    def _check(
        self, request: ClipRequest, frames: np.ndarray, places: Sequence[FramePlace], row: ClipRow | None
    ) -> None:
        for frame, place in zip(frames, places, strict=True):
            if zlib.crc32(frame.data) != place.row.crc32[place.position]:
                raise has_changed(place.shard, f"the frame at byte {place.offset}, of clip {request.key!r},")
        if row is not None and pixel_hash(frames) != row.sha256:
            raise FrameStoreError(
                f"{self.folder}: clip {request.key!r} has other pixels than its receipt says; fill another store"
            )


def _reopen(folder: Path, decoder: str, resize: ResizeKind, shard_bytes: int) -> FrameStore:
    return FrameStore(folder, decoder=decoder, resize=resize, shard_bytes=shard_bytes)
