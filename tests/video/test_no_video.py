"""Paths that hold no video: typed errors at once, from every door of the room."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from egobench.errors import MissingVideoError, UnreadableVideoError, VideoError
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, fingerprint, probe, read_clips, stored_as
from egobench.video.check import check_file
from tests.video.ffmpeg import run_ffmpeg

OK: Final = Path(__file__).parents[1] / "fixtures" / "video" / "ok.mp4"


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the path of a socket holds 108 characters at most
        server.bind(path.name)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.mp4")


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_playlist(path: Path) -> None:
    (path.parent / "other.mp4").write_bytes(OK.read_bytes())
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")


def make_text(path: Path) -> None:
    path.write_text("root:x:0:0:root:/root:/bin/bash\n")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (make_pipe, UnreadableVideoError),
        (make_socket, UnreadableVideoError),
        (make_loop, UnreadableVideoError),
        (make_link_to_device, UnreadableVideoError),
        (make_playlist, UnreadableVideoError),
        (make_text, UnreadableVideoError),
        (Path.mkdir, UnreadableVideoError),
        (make_dangling_link, MissingVideoError),
    ],
)
def test_what_is_no_video_file_fails_every_clip_at_once(
    tmp_path: Path,
    make: Callable[[Path], None],
    expected: type[VideoError],
    decoder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "video.mp4"
    make(path)
    assert stored_as(path) == path
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, None, FrameRule())], decoder=decoder)
    assert isinstance(clip, FailedClip)
    assert type(clip.error) is expected
    assert str(path) in str(clip.error)
    with pytest.raises(expected):
        probe(path)
    assert check_file(path, None, decode=True).error.startswith(expected.__name__)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [make_pipe, make_socket, make_loop, make_link_to_device, Path.mkdir])
def test_what_cannot_be_read_has_no_fingerprint(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "video.mp4")
    with pytest.raises(UnreadableVideoError):
        fingerprint(tmp_path / "video.mp4")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 300 + ".mp4", UnreadableVideoError),
        ("ü" * 200 + ".mp4", UnreadableVideoError),
        ("a/" * 3000 + "b.mp4", UnreadableVideoError),
        ("nul\0.mp4", UnreadableVideoError),
        ("file.mp4/inside.mp4", MissingVideoError),
        ("/dev/zero", UnreadableVideoError),
        ("/", UnreadableVideoError),
        ("..", UnreadableVideoError),
    ],
)
def test_names_that_no_video_can_have_are_typed_errors(tmp_path: Path, name: str, expected: type[VideoError]) -> None:
    (tmp_path / "file.mp4").write_bytes(OK.read_bytes())
    path = tmp_path / name
    assert stored_as(path) == path
    for read in (probe, fingerprint):
        with pytest.raises(expected):
            read(path)
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, None, FrameRule())])
    assert isinstance(clip, FailedClip)
    assert type(clip.error) is expected


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_tags_in_another_encoding_are_no_reason_to_fail(tmp_path: Path, suffix: str, decoder: str) -> None:
    path = tmp_path / f"a.{suffix}"
    tags = ["-metadata", os.fsdecode(b"title=Caf\xe9"), "-metadata:s:v", os.fsdecode(b"title=Caf\xe9")]
    run_ffmpeg("-i", str(OK), "-c", "copy", *tags, str(path))
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, None, FrameRule())], decoder=decoder)
    if decoder == "pyav" or suffix in {"mp4", "mkv"}:
        assert isinstance(clip, DecodedClip), clip
    assert probe(path).frames == 60


@pytest.mark.parametrize(
    "tag", [b"99:99:99.999999999", b"\xe9\xe9:00:02.00000000", b"00:-1:nan.000000000", b"::::::::::::::::::"]
)
def test_a_length_that_makes_no_sense_is_not_read(tmp_path: Path, tag: bytes) -> None:
    content = (OK.parent / "ok.mkv").read_bytes()
    start = content.index(b"DURATION") + len("DURATION")
    start = content.index(b"00:00:0", start)
    path = tmp_path / "a.mkv"
    path.write_bytes(content[:start] + tag + content[start + len(tag) :])
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, 1, FrameRule(count=2))])
    assert isinstance(clip, DecodedClip)
    assert clip.receipt.indices == (7, 22)  # 0.25 and 0.75 s at 30 frames a second


def test_a_file_name_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(OK.read_bytes())
    assert probe(path).frames == 60
