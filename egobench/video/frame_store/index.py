"""What a frame store holds: the rows of all its shards in memory, read on as other processes add to them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from egobench.errors import FrameStoreError
from egobench.video.frame_store.rows import FRAMES, ClipRow, FileRow, Row, VideoRow, parse_row
from egobench.video.frame_store.shards import ROWS, check_version


class Rendition(NamedTuple):
    """A video as some decoder and resizer show it: frames of one are interchangeable.

    Attributes:
        video: Hash of the video's content.
        decoder: Name and version.
        resizer: Name and version.
        short_side: Pixels that the shorter side is reduced to where it is longer.
    """

    video: str
    decoder: str
    resizer: str
    short_side: int

    def describe(self) -> str:
        """Say in words what decoded and resized the video."""
        return f"{self.decoder}, {self.resizer}, short side {self.short_side}"


class FramePlace(NamedTuple):
    """Where a frame lies.

    Attributes:
        shard: The file.
        row: The row that speaks of it.
        position: Its position among the new frames of the row.
    """

    shard: Path
    row: ClipRow
    position: int

    @property
    def offset(self) -> int:
        """Where in the shard it begins, in bytes."""
        return self.row.offset + self.position * self.row.frame_bytes


class TimelinePlace(NamedTuple):
    """Where the display times of a video lie.

    Attributes:
        shard: The file.
        row: The row that speaks of them.
    """

    shard: Path
    row: VideoRow


@dataclass(frozen=True, slots=True)
class StoredTimeline:
    """The length and display times of a video, read from a store; see :class:`egobench.video.plan.Timeline`.

    Attributes:
        duration: Seconds.
        intact_until: Seconds.
        times: Seconds of each displayed frame.
    """

    duration: float
    intact_until: float
    times: Sequence[float]


class FrameIndex:
    """The rows of a store.

    Args:
        folder: The store; may not be there yet.

    Attributes:
        lost_rows: Rows of bytes that their shard does not have: it was copied in part, or a disk lost them.

    Raises:
        FrameStoreError: If it is of another version or damaged, or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._read_bytes: dict[str, int] = {}
        self._videos: dict[str, str] = {}
        self._timelines: dict[str, TimelinePlace] = {}
        self._frames: dict[Rendition, dict[int, FramePlace]] = {}
        self._clips: dict[tuple[Rendition, tuple[int, ...]], ClipRow] = {}
        self.lost_rows = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the rows that have been added since.

        Raises:
            FrameStoreError: If a line is damaged or a file cannot be read; a last line without an end is left for
                later.
        """
        if not check_version(self._folder):
            return
        with self._lock:
            try:
                for file in sorted(self._folder.glob(f"*{ROWS}")):
                    self._read_on(file)
            except OSError as error:
                raise FrameStoreError(
                    f"{error.filename}: cannot be read ({error.strerror}); check disk and permissions"
                ) from error

    def add(self, row: Row, shard: Path) -> None:
        """Take in a row; what is there already stays."""
        if isinstance(row, FileRow):
            self._videos.setdefault(row.fingerprint, row.video)
        elif isinstance(row, VideoRow):
            self._timelines.setdefault(row.video, TimelinePlace(shard, row))
        else:
            rendition = Rendition(row.video, row.decoder, row.resizer, row.short_side)
            self._clips.setdefault((rendition, row.numbers), row)
            places = self._frames.setdefault(rendition, {})
            for position, number in enumerate(row.new):
                places.setdefault(number, FramePlace(shard, row, position))

    def video(self, fingerprint: str) -> str | None:
        """Return the content of a file by its fingerprint."""
        return self._videos.get(fingerprint)

    def timeline(self, video: str) -> TimelinePlace | None:
        """Return where the display times of a video lie."""
        return self._timelines.get(video)

    def place(self, rendition: Rendition, number: int) -> FramePlace | None:
        """Return where a frame lies."""
        return self._frames.get(rendition, _NO_FRAMES).get(number)

    def clip(self, rendition: Rendition, numbers: tuple[int, ...]) -> ClipRow | None:
        """Return the row of a clip that was decoded with exactly these frames."""
        return self._clips.get((rendition, numbers))

    def renditions(self, video: str) -> list[Rendition]:
        """Return in which ways a video is held."""
        return [rendition for rendition in list(self._frames) if rendition.video == video]

    def _read_on(self, file: Path) -> None:
        start = self._read_bytes.get(file.name, 0)
        if file.stat().st_size <= start:
            return
        with file.open("rb") as lines:
            lines.seek(start)
            content = lines.read()
        complete = content[: content.rfind(b"\n") + 1]
        # After the rows were read, or a shard that grows meanwhile would seem cut off.
        shard = file.with_suffix(FRAMES)
        shard_bytes = shard.stat().st_size if shard.is_file() else 0
        for line in complete.splitlines():
            row = parse_row(line, file)
            if row.end > shard_bytes:
                self.lost_rows += 1
            else:
                self.add(row, shard)
        self._read_bytes[file.name] = start + len(complete)


_NO_FRAMES: Final[dict[int, FramePlace]] = {}


def read_times(buffer: bytes | bytearray) -> Sequence[float]:
    """Return the float64 seconds that some bytes stand for."""
    return array("d", bytes(buffer))
