"""Readers of videos, and of frames that were decoded before."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from shutil import copytree

from egobench.errors import MissingFramesError
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, fingerprint, read_clips
from tests.fuzz.inputs import Reader, Seed, seeds_of
from tests.video.frame_store.clips import assert_same, decode, open_store, requests


def _video_seeds(root: Path) -> Iterator[Seed]:
    fixtures = Path(__file__).parents[1] / "fixtures" / "video"
    copytree(fixtures, root / "videos")
    for seed in seeds_of(root / "videos"):
        if (root / "videos" / seed.file).suffix in {".mp4", ".mkv", ".avi", ".ts"}:
            yield Seed(root / "videos", seed.file)


def _read_video(seed: Seed) -> object:
    path = seed.folder / seed.file
    fingerprint(path)
    for clip in read_clips(path, [ClipRequest("clip", path, 0.1, 1.0, FrameRule(count=4))]):
        if isinstance(clip, FailedClip):
            raise clip.error
    return path


def _store_seeds(root: Path) -> Iterator[Seed]:
    """A store of two shards, of clips that share frames."""
    open_store(root / "store", shard_bytes=100_000).fill(_requests())
    yield from seeds_of(root / "store")


@cache
def _requests() -> list[ClipRequest]:
    return requests(names=("ok.mp4", "rot90.mp4"), rule=FrameRule(count=3, short_side=32))


@cache
def _decoded() -> list[DecodedClip]:
    return [decode(request) for request in _requests()]


def _read_store(seed: Seed) -> object:
    """Read every clip, and fill the store again where some are missing; what is read is what decoding gives."""
    store = open_store(seed.folder)
    missing: list[ClipRequest] = []
    for request, expected in zip(_requests(), _decoded(), strict=True):
        try:
            assert_same(store.read(request, check=True), expected)
        except MissingFramesError:
            missing.append(request)
    if missing:
        open_store(seed.folder).fill(missing)
        for request, expected in zip(_requests(), _decoded(), strict=True):
            assert_same(open_store(seed.folder).read(request, check=True), expected)
    return missing


def _row_seeds(root: Path) -> Iterator[Seed]:
    for seed in _store_seeds(root):
        if seed.file.endswith(".jsonl"):
            yield seed


def _read_forged(seed: Seed) -> object:
    """Read rows whose checksums fit although they were altered; what they say may be wrong, but ends nothing."""
    lines: list[bytes] = []
    for line in seed.path.read_bytes().splitlines():
        body = line.rpartition(b', "row_crc32": ')[0] + b"}"
        lines.append(b'%s, "row_crc32": %d}\n' % (body[:-1], zlib.crc32(body)))
    seed.path.write_bytes(b"".join(lines))
    store, clips = open_store(seed.folder), list[DecodedClip]()
    for request in _requests():
        with suppress(MissingFramesError):
            clips.append(store.read(request, check=True))
    return clips


FRAME_READERS: tuple[Reader, ...] = (
    Reader("video", _video_seeds, _read_video),
    Reader("frame store", _store_seeds, _read_store, deletes=True),
    Reader("frame store, forged", _row_seeds, _read_forged),
)
