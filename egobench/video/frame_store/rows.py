"""The rows of a frame store: what lies where in a shard; each a line of JSON that says when it has been altered."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from egobench.errors import FrameStoreError
from egobench.validation import first_fault

FRAMES: Final = ".frames"
"""Ending of the shard that rows speak of."""

_CHECKSUM: Final = b', "row_crc32": '
_STRICT: Final[Mapping[str, str]] = {"extra": "forbid"}
_Count = Annotated[int, Field(ge=0)]
_Size = Annotated[int, Field(ge=1)]
_ContentHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as it lies on disk, and its content.

    Attributes:
        fingerprint: See :func:`egobench.video.fingerprint`.
        video: See :func:`egobench.video.frame_store.content.content_hash`.
        kind: What kind of row this is.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICT

    fingerprint: str
    video: _ContentHash
    kind: Literal["file"] = "file"

    @property
    def end(self) -> int:
        """Bytes of the shard up to which the row speaks of it."""
        return 0


@dataclass(frozen=True, slots=True)
class VideoRow:
    """The display times of a video.

    Attributes:
        video: Hash of its content.
        duration: Seconds, as in :class:`egobench.video.plan.Timeline`.
        intact_until: Seconds, as in :class:`egobench.video.plan.Timeline`.
        offset: Where in the shard its times begin, in bytes.
        count: Displayed frames.
        crc32: Checksum of the times' bytes.
        kind: What kind of row this is.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICT

    video: _ContentHash
    duration: float
    intact_until: float
    offset: _Count
    count: _Size
    crc32: int
    kind: Literal["video"] = "video"

    @property
    def end(self) -> int:
        """Bytes of the shard up to which the row speaks of it."""
        return self.offset + 8 * self.count


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip, and those of its frames that no clip before it has.

    Attributes:
        video: Hash of the video's content.
        decoder: Name and version.
        resizer: Name and version, whether these frames had to be resized or not.
        short_side: Pixels that the shorter side was reduced to where it was longer.
        numbers: Numbers of the displayed frames that the clip shows.
        height: Pixels.
        width: Pixels.
        resize: As in the clip's :class:`egobench.video.Receipt`.
        sha256: As in the clip's :class:`egobench.video.Receipt`.
        offset: Where in the shard its new frames begin, in bytes; one lies behind the other.
        new: Numbers of these frames.
        crc32: Checksum of each of them.
        kind: What kind of row this is.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _STRICT

    video: _ContentHash
    decoder: str
    resizer: str
    short_side: _Size
    numbers: tuple[_Count, ...]
    height: _Size
    width: _Size
    resize: str
    sha256: str
    offset: _Count
    new: tuple[_Count, ...]
    crc32: tuple[_Count, ...]
    kind: Literal["clip"] = "clip"

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return self.height * self.width * 3

    @property
    def end(self) -> int:
        """Bytes of the shard up to which the row speaks of it."""
        return self.offset + self.frame_bytes * len(self.new)


Row = FileRow | VideoRow | ClipRow


def encode_row(row: Row) -> bytes:
    """The line of a row: a JSON object whose last member is a checksum of all before it."""
    body = json.dumps(asdict(row), ensure_ascii=False).encode()
    return b"%s%s%d}\n" % (body[:-1], _CHECKSUM, zlib.crc32(body))


def parse_row(line: bytes, file: Path) -> Row:
    """Read one row.

    Raises:
        FrameStoreError: If it is damaged.
    """
    try:
        row: Row = _adapter().validate_json(_content(line, file))
    except ValidationError as error:
        raise _damaged(file, f"{line[:60]!r}: {first_fault(error)}") from error
    if isinstance(row, ClipRow) and (len(row.new) != len(row.crc32) or not row.numbers):
        raise _damaged(file, f"{line[:60]!r}: {len(row.new)} frames, {len(row.crc32)} checksums")
    return row


def has_changed(shard: Path, what: str) -> FrameStoreError:
    """The error about bytes that differ from their checksum.

    Args:
        shard: Where they lie.
        what: What they are, in words.
    """
    return FrameStoreError(
        f"{shard}: {what} differs from its checksum; delete {shard.stem}.frames and {shard.stem}.jsonl, and fill the "
        "store again"
    )


def _content(line: bytes, file: Path) -> bytes:
    """The JSON object of a line that is as it was written."""
    body, _, checksum = line.rpartition(_CHECKSUM)
    body += b"}"
    if checksum != b"%d}" % zlib.crc32(body):
        raise _damaged(file, f"{line[:60]!r} differs from its checksum")
    return body


def _damaged(file: Path, reason: str) -> FrameStoreError:
    return FrameStoreError(
        f"{file}: a damaged line ({reason}); delete it and {file.with_suffix(FRAMES).name}, and fill the store again: "
        "what other shards hold is kept"
    )


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[Row, Field(discriminator="kind")])
