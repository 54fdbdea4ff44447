"""Reading through a frame store: clips that it has come from there, others are decoded and kept for the next time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, NamedTuple, Self

from egobench.errors import FrameStoreError, FrameStoreSpaceError, VideoError
from egobench.observer import Observer
from egobench.video.clips import ClipRequest, DecodedClip, FailedClip
from egobench.video.frame_store.claims import try_claim
from egobench.video.frame_store.filling import CLAIMS, free_bytes
from egobench.video.frame_store.keeping import ClipKeeper
from egobench.video.frame_store.shards import ShardWriter
from egobench.video.frame_store.store import FrameStore
from egobench.video.plan import frames_of_clip
from egobench.video.reading import read_clips

RESERVE: Final = 1 << 30
"""Bytes that are left free on the store's disk: answers may go there too."""


class _Sorted(NamedTuple):
    """Clips of one file by what is to be done for them.

    Attributes:
        failed: Clips that there cannot be.
        stored: Clips in the store, in the order in which decoding would give them.
        missing: The others.
    """

    failed: list[FailedClip]
    stored: list[ClipRequest]
    missing: list[ClipRequest]


class ReadThrough:
    """Reads clips as :func:`egobench.video.read_clips` does, and the same ones; as a context manager.

    A video that another process is putting into the store is decoded here too, and not kept. What cannot be kept,
    because the disk is full or cannot be written, is a warning: the clips come nevertheless.

    Args:
        store: The store.
        observer: Receives the warning.
        reserve: Bytes to leave free on the store's disk.
    """

    def __init__(self, store: FrameStore, observer: Observer, *, reserve: int = RESERVE) -> None:
        self._store, self._observer, self._reserve = store, observer, reserve
        self._writer = ShardWriter(store.folder, store.shard_bytes)
        self._keeper: ClipKeeper | None = ClipKeeper(store.catalogue, self._writer)

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put on disk what was kept."""
        try:
            self._writer.close()
        except FrameStoreError as failure:
            self._keep_no_more(str(failure))

    def __call__(
        self, path: Path, requests: Sequence[ClipRequest], *, stop: Event
    ) -> Generator[DecodedClip | FailedClip, None, None]:
        """Read clips out of one file, or out of the store.

        Args:
            path: The file.
            requests: The clips; all of this file.
            stop: Ends the reading early once it is set.

        Yields:
            Each clip once, those that are in the store first.

        Raises:
            FrameStoreError: If the store is damaged, or cannot be read.
        """
        try:
            video = self._store.catalogue.content(path).video
        except VideoError as error:
            yield from (FailedClip(request.key, error) for request in requests)
            return
        failed, stored, missing = self._sort(video, requests)
        yield from failed
        yield from self._read(stored, stop)
        if missing and not stop.is_set():
            yield from self._decode(path, video, missing, stop)

    def _sort(self, video: str, requests: Sequence[ClipRequest]) -> _Sorted:
        catalogue = self._store.catalogue
        timeline = catalogue.timeline(video)
        if timeline is None:
            return _Sorted([], [], list(requests))
        failed, missing = list[FailedClip](), list[ClipRequest]()
        last_frames: list[tuple[int, float, ClipRequest]] = []
        for request in sorted(requests, key=lambda request: request.start):
            try:
                numbers = frames_of_clip(timeline, request)
                places = catalogue.places(catalogue.rendition(video, request), numbers)
            except VideoError as error:
                failed.append(FailedClip(request.key, error))
                continue
            if places is None:
                missing.append(request)
            else:
                last_frames.append((max(numbers), request.start, request))
        last_frames.sort(key=lambda entry: entry[:2])
        return _Sorted(failed, [request for _, _, request in last_frames], missing)

    def _read(self, requests: Sequence[ClipRequest], stop: Event) -> Generator[DecodedClip | FailedClip, None, None]:
        for request in requests:
            if stop.is_set():
                return
            try:
                clip: DecodedClip | FailedClip = self._store.read(request)
            except VideoError as error:
                clip = FailedClip(request.key, error)
            yield clip

    def _decode(
        self, path: Path, video: str, requests: Sequence[ClipRequest], stop: Event
    ) -> Generator[DecodedClip | FailedClip, None, None]:
        catalogue = self._store.catalogue
        with ExitStack() as claims:
            keeper = self._claim(path, video, claims)
            if keeper is not None:
                # Another process may have put them there since.
                catalogue.index.refresh()
                failed, stored, requests = self._sort(video, requests)
                yield from failed
                yield from self._read(stored, stop)
            by_key = {request.key: request for request in requests}
            clips = read_clips(path, requests, decoder=catalogue.decoder, resize=catalogue.resize, stop=stop)
            with closing(clips):
                for clip in clips:
                    if keeper is not None and isinstance(clip, DecodedClip):
                        keeper = self._keep(keeper, by_key[clip.key], clip, video)
                    yield clip
            if keeper is not None:
                self._flush(keeper)

    def _claim(self, path: Path, video: str, claims: ExitStack) -> ClipKeeper | None:
        """What keeps the clips of a video, ``None`` where they are not to be kept by this process."""
        folder, keeper = self._store.folder, self._keeper
        if keeper is None:
            return None
        try:
            free = free_bytes(folder)
            if free < self._reserve:
                raise FrameStoreSpaceError(f"{folder}: {free:,} bytes are free, and {self._reserve:,} are to stay so")
            if not claims.enter_context(try_claim(folder / CLAIMS, video)):
                return None
            keeper.keep_file(self._store.catalogue.content(path))
            keeper.keep_timeline(path, video)
        except FrameStoreError as error:
            self._keep_no_more(str(error))
        except VideoError:
            # Reading its clips will say why.
            return None
        return self._keeper

    def _keep(self, keeper: ClipKeeper, request: ClipRequest, clip: DecodedClip, video: str) -> ClipKeeper | None:
        """Keep a clip; return what keeps the next ones."""
        try:
            keeper.keep(request, clip, video)
        except FrameStoreError as error:
            self._keep_no_more(str(error))
            return None
        except VideoError:
            # The file has changed while it was read, so nobody knows which content has these frames.
            return None
        return keeper

    def _flush(self, keeper: ClipKeeper) -> None:
        try:
            keeper.flush()
        except FrameStoreError as error:
            self._keep_no_more(str(error))

    def _keep_no_more(self, problem: str) -> None:
        if self._keeper is not None:
            self._keeper = None
            self._observer.warn(f"frames are not kept any more: {problem}")
