"""What a frame store knows of videos: their content, their display times, and where their frames lie."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from egobench.video.clips import ClipRequest
from egobench.video.decoders import decoder_name
from egobench.video.facts import fingerprint
from egobench.video.files import video_status
from egobench.video.frame_store.content import content_hash
from egobench.video.frame_store.index import FrameIndex, FramePlace, Rendition, StoredTimeline, read_times
from egobench.video.frame_store.rows import has_changed
from egobench.video.frame_store.shard_reader import ShardReader
from egobench.video.resize import ResizeKind, resizer

RECENT_TIMELINES: Final = 256
"""Videos whose display times stay in memory."""


class KnownFile(NamedTuple):
    """A file as it lay on disk when it was looked at.

    Attributes:
        inode: Number of the file on its disk.
        size: Bytes.
        modified: Nanoseconds.
        fingerprint: See :func:`egobench.video.fingerprint`.
        video: Hash of its content.
    """

    inode: int
    size: int
    modified: int
    fingerprint: str
    video: str


class FrameCatalogue:
    """Looks up videos and frames of a store.

    Args:
        folder: The store.
        decoder: See :func:`egobench.video.read_clips`.
        resize: See :func:`egobench.video.read_clips`.

    Attributes:
        folder: The store.
        decoder: The decoder's name.
        resize: How frames are resized.
        index: The rows of the store.
        shards: Reads its shards.
    """

    def __init__(self, folder: Path, decoder: str, resize: ResizeKind) -> None:
        self.folder, self.decoder = folder, decoder
        self.resize: ResizeKind = resize
        self.index, self.shards = FrameIndex(folder), ShardReader()
        self._files: dict[Path, KnownFile] = {}
        self._timelines: OrderedDict[str, StoredTimeline] = OrderedDict()

    def content(self, path: Path) -> KnownFile:
        """Return a file's content; a file that the store has not seen, or that has changed, is hashed whole.

        Raises:
            MissingVideoError: If there is no such file.
            UnreadableVideoError: If it cannot be read.
        """
        status = video_status(path)
        file = self._files.get(path)
        if file is None or file[:3] != (status.st_ino, status.st_size, status.st_mtime_ns):
            mark = fingerprint(path)
            video = self.index.video(mark) or content_hash(path)
            file = KnownFile(status.st_ino, status.st_size, status.st_mtime_ns, mark, video)
            self._files[path] = file
        return file

    def rendition(self, video: str, request: ClipRequest) -> Rendition:
        """Return the rendition of a video that a clip shows.

        Raises:
            ValueError: If there is no such decoder, or its package is not installed.
            MissingVideoError: If there is no such file.
        """
        name = decoder_name(self.decoder, request.path)
        return Rendition(video, name, resizer(self.resize).name, request.rule.short_side)

    def places(self, rendition: Rendition, numbers: Iterable[int]) -> list[FramePlace] | None:
        """Return where frames lie, ``None`` if any is missing."""
        places: list[FramePlace] = []
        for number in numbers:
            place = self.index.place(rendition, number)
            if place is None:
                return None
            places.append(place)
        return places

    def timeline(self, video: str) -> StoredTimeline | None:
        """Return the length and display times of a video, ``None`` if the store does not know it.

        Raises:
            FrameStoreError: If a shard is damaged, or cannot be read.
        """
        timeline = self._timelines.pop(video, None)
        if timeline is None:
            place = self.index.timeline(video)
            if place is None:
                return None
            content = bytearray(8 * place.row.count)
            self.shards.read(place.shard, memoryview(content), place.row.offset)
            if zlib.crc32(content) != place.row.crc32:
                raise has_changed(place.shard, f"the list of display times at byte {place.row.offset}")
            timeline = StoredTimeline(place.row.duration, place.row.intact_until, read_times(content))
        self._timelines[video] = timeline
        if len(self._timelines) > RECENT_TIMELINES:
            self._timelines.popitem(last=False)
        return timeline
