"""Frames in the store are the very frames that decoding gives, each there once, known by what they show."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
import pytest

from egobench.errors import (
    FrameStoreError,
    FrameStoreSpaceError,
    MissingFramesError,
    MissingVideoError,
    ShortVideoError,
)
from egobench.video import ClipRequest, DecodedClip, FrameStore, read_clips
from egobench.video import resize as resizing
from egobench.video.frame_store.content import content_hash
from egobench.video.index import read_index
from tests.conftest import write_frames
from tests.video.frame_store.clips import (
    NAMES,
    RULE,
    VIDEOS,
    assert_holds_all,
    assert_same,
    decode,
    open_store,
    requests,
    shard_bytes,
)

OK: Final = ClipRequest("a", VIDEOS / "ok.mp4", 0.2, 0.8, RULE)


def test_frames_times_and_receipt_are_those_of_decoding(tmp_path: Path) -> None:
    report = open_store(tmp_path).fill(requests(), workers=2)
    assert (report.clips, report.added, report.stored, report.failed) == (30, 30, 0, [])
    assert_holds_all(tmp_path, requests())


def test_frames_of_the_usual_resizer_are_those_of_decoding(tmp_path: Path) -> None:
    FrameStore(tmp_path).fill([OK])
    (expected,) = read_clips(OK.path, [OK])
    assert isinstance(expected, DecodedClip)
    assert_same(FrameStore(tmp_path).read(OK, check=True), expected)


def test_native_frames_are_kept_as_they_are(tmp_path: Path) -> None:
    clips = requests(rule=replace(RULE, short_side=5000))
    open_store(tmp_path).fill(clips)
    assert_holds_all(tmp_path, clips)


def test_another_decoder_has_frames_of_its_own(tmp_path: Path, other_decoder: str) -> None:
    store = FrameStore(tmp_path, decoder=other_decoder, resize="pil")
    assert store.fill([OK]).added == 1
    assert store.read(OK).receipt.decoder.startswith(f"{other_decoder} ")
    with pytest.raises(MissingFramesError, match=f"it has frames of this video by {other_decoder} "):
        open_store(tmp_path).read(OK)


def test_a_folder_of_frames_is_stored_too(tmp_path: Path) -> None:
    folder = write_frames(VIDEOS / "ok.mp4", tmp_path / "frames", "30")
    request = ClipRequest("a", folder, 0.2, 0.8, RULE)
    open_store(tmp_path / "store").fill([request])
    assert_holds_all(tmp_path / "store", [request])


def test_frames_that_clips_share_are_stored_once(tmp_path: Path) -> None:
    clips = requests(names=["ok.mp4"])
    report = open_store(tmp_path).fill(clips)
    receipts = [decode(request).receipt for request in clips]
    distinct = {number for receipt in receipts for number in receipt.indices}
    assert report.frames == len(distinct) < sum(len(set(receipt.indices)) for receipt in receipts)
    # Beside the pixels, eight bytes per displayed frame: ok.mp4 has 60.
    frame_bytes = receipts[0].width * receipts[0].height * 3
    assert shard_bytes(tmp_path) == len(distinct) * frame_bytes + 60 * 8


def test_a_clip_that_nobody_asked_for_is_read_if_its_frames_are_there(tmp_path: Path) -> None:
    whole = ClipRequest("whole", VIDEOS / "ok.mp4", 0.0, None, replace(RULE, count=60))
    open_store(tmp_path).fill([whole])
    assert_holds_all(tmp_path, requests(names=["ok.mp4"]))


def test_nothing_that_is_there_is_decoded_again(tmp_path: Path) -> None:
    open_store(tmp_path).fill(requests())
    before = {path: path.read_bytes() for path in tmp_path.glob("0*")}
    report = open_store(tmp_path).fill(requests())
    assert (report.stored, report.added, report.frames) == (30, 0, 0)
    assert {path: path.read_bytes() for path in tmp_path.glob("0*")} == before


def test_a_store_grows_by_what_is_missing(tmp_path: Path) -> None:
    open_store(tmp_path).fill(requests(names=NAMES[:2]))
    report = open_store(tmp_path).fill(requests())
    assert (report.stored, report.added) == (10, 20)
    assert_holds_all(tmp_path, requests())


def test_a_copied_and_renamed_video_is_the_same_video(tmp_path: Path) -> None:
    open_store(tmp_path / "store").fill([OK])
    copy = tmp_path / "renamed.mp4"
    shutil.copyfile(OK.path, copy)
    os.utime(copy, (1, 1))
    assert_same(open_store(tmp_path / "store").read(replace(OK, path=copy)), decode(OK))


def test_another_content_under_the_same_name_is_another_video(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    shutil.copyfile(VIDEOS / "ok.mp4", path)
    store, request = open_store(tmp_path / "store"), replace(OK, path=path)
    store.fill([request])
    shutil.copyfile(VIDEOS / "rot90.mp4", path)
    with pytest.raises(MissingFramesError):
        store.read(request)
    store.fill([request])
    assert_same(store.read(request), decode(request))


def test_content_is_every_byte_of_a_file(tmp_path: Path) -> None:
    content = bytearray(200_000)
    (tmp_path / "a").write_bytes(content)
    content[100_000] = 1  # neither in the head nor in the tail
    (tmp_path / "b").write_bytes(content)
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "b")


def test_another_resizer_does_not_get_these_frames(tmp_path: Path) -> None:
    FrameStore(tmp_path, resize="pil").fill([OK])
    assert FrameStore(tmp_path, resize="pil").read(OK).receipt.resize.startswith("pil ")
    name = resizing.resizer("auto").name
    if not name.startswith("pil "):
        with pytest.raises(MissingFramesError, match="pil"):
            FrameStore(tmp_path).read(OK)


def test_clips_without_frames_fail_and_the_others_are_kept(tmp_path: Path) -> None:
    late = replace(OK, key="late", start=50.0, end=51.0)
    lost = replace(OK, key="lost", path=VIDEOS / "nowhere.mp4")
    damaged = replace(OK, key="damaged", path=VIDEOS / "hole_zero.mp4", start=0.0, end=None)
    report = open_store(tmp_path).fill([late, lost, damaged, OK])
    assert report.added == 1
    assert {clip.key: type(clip.error).__name__ for clip in report.failed} == {
        "late": "ShortVideoError",
        "lost": "MissingVideoError",
        "damaged": "DamagedVideoError",
    }
    store = open_store(tmp_path)
    assert_same(store.read(OK), decode(OK))
    with pytest.raises(ShortVideoError):
        store.read(late)
    with pytest.raises(MissingVideoError):
        store.read(lost)
    with pytest.raises(MissingFramesError):
        store.read(damaged)


def test_the_estimate_is_the_bytes_that_are_written(tmp_path: Path) -> None:
    estimate = open_store(tmp_path).estimate(requests())
    assert (estimate.clips, estimate.stored, estimate.files) == (30, 0, 6)
    assert not list(tmp_path.iterdir())
    report = open_store(tmp_path).fill(requests())
    assert estimate.frames == report.frames
    assert estimate.bytes == shard_bytes(tmp_path)
    assert open_store(tmp_path).estimate(requests()).bytes == 0


def test_what_the_limit_does_not_allow_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    needed = store.estimate(requests()).bytes
    with pytest.raises(FrameStoreSpaceError, match=f"take {needed:,} bytes, and {needed - 1:,} may be added"):
        store.fill(requests(), limit=needed - 1)
    assert not (tmp_path / "store").exists()
    assert store.fill(requests(), limit=needed).added == 30


def test_what_the_disk_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(FrameStoreSpaceError, match="1,000 are free on its disk"):
        open_store(tmp_path).fill(requests())


def test_changed_pixels_are_found_when_a_clip_is_checked(tmp_path: Path) -> None:
    open_store(tmp_path).fill([OK])
    with (tmp_path / "00000.frames").open("r+b") as shard:
        shard.seek(-10, os.SEEK_END)
        byte = shard.read(1)
        shard.seek(-10, os.SEEK_END)
        shard.write(bytes([byte[0] ^ 1]))
    with pytest.raises(FrameStoreError, match="differs from its checksum"):
        open_store(tmp_path).read(OK, check=True)


def test_display_times_that_changed_are_no_times(tmp_path: Path) -> None:
    open_store(tmp_path).fill([OK])
    index = read_index(OK.path)
    content = (tmp_path / "00000.frames").read_bytes()
    place = content.index(np.array(index.times).tobytes()) + 8 * 20
    (tmp_path / "00000.frames").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(FrameStoreError, match=r"00000\.frames: the list of display times .* differs from its checksum"):
        open_store(tmp_path).read(OK)


def test_a_row_that_says_something_else_is_damaged(tmp_path: Path) -> None:
    open_store(tmp_path).fill([OK])
    rows = tmp_path / "00000.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b'"duration": 2.0', b'"duration": 3.0'))
    with pytest.raises(FrameStoreError, match=r"00000\.jsonl: a damaged line .*differs from its checksum"):
        open_store(tmp_path)


def test_shards_end_at_their_size(tmp_path: Path) -> None:
    open_store(tmp_path, shard_bytes=200_000).fill(requests())
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.frames"))]
    clip_bytes = 8 * max(decode(request).frames[0].size for request in requests()[:6])
    assert len(sizes) > 3
    assert all(200_000 <= size < 200_000 + clip_bytes for size in sizes[:-1])
    assert_holds_all(tmp_path, requests())


def test_two_clips_with_one_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two different clips have the key 'a'"):
        open_store(tmp_path).fill([OK, replace(OK, start=0.3)])
    assert open_store(tmp_path).fill([OK, OK]).clips == 1


def test_a_store_goes_to_worker_processes(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, resize="pil")
    store.fill([OK])
    assert_same(pickle.loads(pickle.dumps(store)).read(OK), store.read(OK))  # noqa: S301


def test_of_files_with_the_same_content_only_one_is_decoded(tmp_path: Path) -> None:
    clips: list[ClipRequest] = []
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        shutil.copyfile(VIDEOS / "ok.mp4", tmp_path / name)
        clips += requests(tmp_path, [name])
    store = open_store(tmp_path / "store")
    estimate, report = store.estimate(clips), store.fill(clips, workers=3)
    assert (estimate.files, estimate.bytes) == (1, shard_bytes(tmp_path / "store"))
    assert (report.added, report.stored, report.frames) == (5, 10, estimate.frames)
    assert_holds_all(tmp_path / "store", clips)
