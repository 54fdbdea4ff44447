"""Every awkward kind of file, with every decoder: the right frame by its timecode, or a typed error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Final

import numpy as np
import pytest

from egobench.errors import DamagedVideoError, ShortVideoError, UnreadableVideoError, UnsupportedVideoError, VideoError
from egobench.miniego.drawing import timecode
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, read_clips
from egobench.video.decoders import open_reader
from egobench.video.frame_reader import DecodedFrame

VIDEOS: Final = Path(__file__).parents[1] / "fixtures" / "video"
TRUTH: Final[dict[str, dict[str, list[float]]]] = json.loads((VIDEOS / "truth.json").read_text())
NO_VIDEO: Final = (
    "audio_only.mp4", "cover.mp3", "html.mp4", "text.mp4", "trunc_nomoov.mp4", "zero.mp4", "zeroframes.mp4",
)  # fmt: skip
IN_SEQUENCE: Final = ("cover.jpg", "mpeg4.avi", "ok.ts", "raw.h264")
REFUSED: Final = {
    "pyav": (),
    "torchcodec": IN_SEQUENCE,
    "decord": (
        *IN_SEQUENCE, "cut_editlist.mp4", "cut_editlist_audio.mp4",
        "h264_10bit.mp4", "h264_opengop.mp4", "hevc_opengop.mp4",
    ),
}  # fmt: skip
TURNS: Final = {"rot90.mp4": 3, "rot180.mp4": 2, "rot270.mp4": 1}
"""Quarter turns that undo what the display matrix asks for; checked against ffmpeg's own rotation."""


def shots(name: str, wanted: Sequence[int], decoder: str) -> list[DecodedFrame]:
    with open_reader(decoder, VIDEOS / name, 1) as reader:
        return list(reader.frames(wanted, Event()))


def number(pixels: np.ndarray | None, name: str = "") -> int | None:
    """The timecode of a frame; ``None`` where none can be read."""
    if pixels is None:
        return None
    code = timecode.read(np.ascontiguousarray(np.rot90(pixels, TURNS.get(name, 0))))
    return None if code is None else code[1]


@pytest.mark.parametrize("name", TRUTH)
def test_every_frame_of_a_whole_file_is_the_right_one_or_the_decoder_is_refused(name: str, decoder: str) -> None:
    expected = TRUTH[name]["numbers"]
    if name in REFUSED[decoder]:
        with pytest.raises(UnsupportedVideoError, match="use the decoder pyav"):
            shots(name, [0], decoder)
        return
    found = {shot.number: number(shot.pixels, name) for shot in shots(name, range(len(expected)), decoder)}
    assert found == dict(enumerate(expected))


@pytest.mark.parametrize("name", TRUTH)
def test_frames_picked_here_and_there_are_the_right_ones(name: str, decoder: str) -> None:
    expected = TRUTH[name]["numbers"]
    if name in REFUSED[decoder]:
        return
    for seed in range(3):
        draw = np.random.default_rng(seed)
        picked = sorted(draw.choice(len(expected), min(6, len(expected)), replace=False).tolist())
        found = {shot.number: number(shot.pixels, name) for shot in shots(name, picked, decoder)}
        assert found == {one: expected[one] for one in picked}


@pytest.mark.parametrize("name", TRUTH)
def test_display_times_are_those_of_ffprobe(name: str) -> None:
    with open_reader("pyav", VIDEOS / name, 1) as reader:
        found = reader.index.times
    expected = TRUTH[name]["times"] or [one / 30 for one in range(60)]  # AVI and raw streams give no times: 30 a second
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", NO_VIDEO)
def test_a_file_that_is_no_video_fails_every_clip(name: str, decoder: str) -> None:
    path = VIDEOS / name
    asked = [ClipRequest(key, path, 0, None, FrameRule()) for key in "ab"]
    found = list(read_clips(path, asked, decoder=decoder))
    assert [clip.key for clip in found] == ["a", "b"]
    for clip in found:
        assert isinstance(clip, FailedClip)
        assert isinstance(clip.error, UnreadableVideoError)
        assert str(path) in str(clip.error)


def test_every_kind_is_tested() -> None:
    damaged = {"trunc_faststart.mp4", "corrupt_light.mp4", "corrupt_heavy.mp4", "hole_zero.mp4"}
    kept = {path.name for path in VIDEOS.iterdir() if path.suffix not in {".py", ".md", ".json"}}
    assert kept == {*TRUTH, *NO_VIDEO, *damaged}


@pytest.mark.parametrize("name", ["corrupt_light.mp4", "corrupt_heavy.mp4", "hole_zero.mp4"])
def test_what_comes_of_a_damaged_file_is_the_right_frame_or_an_error(name: str) -> None:
    found = shots(name, range(60), "pyav")
    assert sorted(shot.number for shot in found) == list(range(60))
    assert any(isinstance(shot.error, DamagedVideoError) for shot in found)
    for shot in found:
        assert number(shot.pixels) == (shot.number if shot.error is None else None)


@pytest.mark.parametrize("name", ["corrupt_heavy.mp4", "hole_zero.mp4"])
def test_other_decoders_fail_the_frames_that_they_cannot_decode(name: str, other_decoder: str) -> None:
    found = shots(name, range(60), other_decoder)
    assert sorted(shot.number for shot in found) == list(range(60))
    assert {shot.number for shot in found if isinstance(shot.error, DamagedVideoError)} >= set(range(36, 48))


def test_a_damaged_stretch_fails_only_the_clips_that_need_it() -> None:
    rule = FrameRule(4, min_seconds=0)
    path = VIDEOS / "hole_zero.mp4"  # zero from 50 to 70 % of the bytes: the groups of frames 24 to 47
    asked = [ClipRequest(str(start), path, start / 30, (start + 12) / 30, rule) for start in (0, 12, 30, 48)]
    found: dict[str, type] = {clip.key: type(clip) for clip in read_clips(path, asked)}
    assert found == {"0": DecodedClip, "12": DecodedClip, "30": FailedClip, "48": DecodedClip}


def test_a_few_flipped_bits_are_damage_that_no_decoder_sees(decoder: str) -> None:
    """No error, the right time and even the right timecode, yet other pixels: only a checksum of the file finds it."""
    whole = {shot.number: np.asarray(shot.pixels) for shot in shots("fast.mp4", range(60), decoder)}
    silent = [
        shot.number
        for shot in shots("corrupt_light.mp4", range(60), decoder)
        if shot.pixels is not None
        and number(shot.pixels) == shot.number
        and not np.array_equal(shot.pixels, whole[shot.number])
    ]
    assert set(silent) >= {6, 7, 8, 9, 10, 11}


def test_a_file_cut_off_behind_its_index_gives_the_clips_before_the_cut() -> None:
    path = VIDEOS / "trunc_faststart.mp4"  # 60 % of the bytes of two seconds
    rule = FrameRule(4)
    asked = [
        ClipRequest("before", path, 0, 1, rule),
        ClipRequest("across", path, 0.8, 1.3, rule),
        ClipRequest("behind", path, 1.5, 2, rule),
        ClipRequest("whole", path, 0, None, rule),
        ClipRequest("beyond", path, 2, 3, rule),
    ]
    found: dict[str, DecodedClip | VideoError] = {
        clip.key: clip.error if isinstance(clip, FailedClip) else clip for clip in read_clips(path, asked)
    }
    before = found["before"]
    assert isinstance(before, DecodedClip)
    assert [number(frame) for frame in before.frames] == [3, 11, 18, 26]  # 0.125, 0.375, 0.625, 0.875 s
    for key in ("across", "behind", "whole"):
        assert isinstance(found[key], DamagedVideoError)
    assert isinstance(found["beyond"], ShortVideoError)
    assert "2.000 s" in str(found["beyond"])


def cut(name: str, tmp_path: Path) -> Path:
    """The first 60 % of a file."""
    content = (VIDEOS / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) * 6 // 10])
    return path


@pytest.mark.parametrize("name", ["ok.mkv", "vp9.webm", "mpeg4.avi"])
def test_other_containers_that_promise_a_length_are_known_to_be_cut_off(name: str, tmp_path: Path) -> None:
    path = cut(name, tmp_path)
    asked = [ClipRequest(key, path, start, None, FrameRule(4)) for key, start in (("whole", 0), ("late", 1.5))]
    asked.append(ClipRequest("early", path, 0, 0.5, FrameRule(1)))
    found = {clip.key: clip for clip in read_clips(path, asked)}
    for key in ("whole", "late"):
        clip = found[key]
        assert isinstance(clip, FailedClip)
        assert isinstance(clip.error, DamagedVideoError)
    early = found["early"]
    assert isinstance(early, DecodedClip)
    assert [number(frame) for frame in early.frames] == [7]  # 0.25 s


@pytest.mark.parametrize("name", ["ok.ts", "frag.mp4", "raw.h264"])
def test_containers_that_promise_no_length_are_as_long_as_what_is_there(name: str, tmp_path: Path) -> None:
    path = cut(name, tmp_path)
    (clip,) = read_clips(path, [ClipRequest("late", path, 1.5, 2, FrameRule(4))])
    assert isinstance(clip, FailedClip)
    assert isinstance(clip.error, ShortVideoError)


def test_a_codec_that_nobody_knows_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "unknown.mp4"
    path.write_bytes((VIDEOS / "fast.mp4").read_bytes().replace(b"avc1", b"zzz9"))
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, 1, FrameRule())])
    assert isinstance(clip, FailedClip)
    assert isinstance(clip.error, UnsupportedVideoError)
