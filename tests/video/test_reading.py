"""One file, one pass: how much is opened, sought, decoded and held."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from threading import Event
from typing import Final

import av
import numpy as np
import pytest

from egobench.errors import MissingVideoError, ShortVideoError, UnsupportedVideoError
from egobench.miniego.drawing import timecode
from egobench.video import ClipRequest, DecodedClip, FailedClip, FrameRule, Receipt, pixel_hash, read_clips
from egobench.video.colour import RgbConverter
from egobench.video.plan import count_packets_to_decode, plan_spans
from egobench.video.pyav import PyavReader

VIDEOS: Final = Path(__file__).parents[1] / "fixtures" / "video"
OK: Final = VIDEOS / "ok.mp4"
NATIVE: Final = FrameRule(count=4, min_seconds=0)


def decoded(clips: Iterable[DecodedClip | FailedClip]) -> dict[str, DecodedClip]:
    found: dict[str, DecodedClip] = {}
    for clip in clips:
        assert isinstance(clip, DecodedClip), clip
        found[clip.key] = clip
    return found


def numbers(frames: np.ndarray) -> list[int]:
    codes = [timecode.read(frame) for frame in frames]
    return [-1 if code is None else code[1] for code in codes]


@pytest.mark.parametrize("name", ["ok.mp4", "nobf.mp4", "ok.mkv", "hevc_closed.mp4", "vp9.webm", "cut_editlist.mp4"])
@pytest.mark.parametrize("wanted", [[0], [7, 9], [3, 4, 11, 20, 22, 44], list(range(45))])
def test_a_file_is_opened_once_and_each_touched_group_is_sought_once(name: str, wanted: list[int]) -> None:
    with PyavReader(VIDEOS / name) as reader:
        found = [shot.number for shot in reader.frames(wanted, Event())]
        keys = np.flatnonzero(reader.index.key)
        touched = {int(np.searchsorted(keys, reader.index.order[one], side="right")) for one in wanted}
        assert found == wanted
        assert reader.open_count == 1
        assert reader.seek_count == len(touched)


def test_no_more_is_decoded_than_the_frames_between_key_and_target_that_something_refers_to() -> None:
    with PyavReader(OK) as reader:
        index = reader.index
        assert [int(one) for one in np.flatnonzero(index.key)] == [0, 12, 24, 36, 48]
        wanted = [5, 30]
        # By hand: from the key to the target, less the packets that nothing refers to, but for the target itself.
        floor = 0
        for one in wanted:
            last = int(index.order[one])
            before = range(last // 12 * 12, last)
            floor += 1 + sum(not index.droppable[position] for position in before)
        list(reader.frames(wanted, Event()))
        assert reader.decode_count == floor == count_packets_to_decode(index, wanted)


@pytest.mark.parametrize("name", ["ok.mp4", "hevc_opengop.mp4", "h264_opengop.mp4", "vp8.webm", "frag.mp4"])
def test_what_is_decoded_is_the_plan(name: str) -> None:
    with PyavReader(VIDEOS / name) as reader:
        list(reader.frames([2, 17, 33, 59], Event()))
        assert reader.decode_count == sum(len(run.packets) for run in plan_spans(reader.index, [2, 17, 33, 59]))
        assert reader.open_count == 1


def test_half_of_the_packets_of_an_encode_with_three_b_frames_need_not_be_decoded() -> None:
    with PyavReader(OK) as reader, PyavReader(VIDEOS / "nobf.mp4") as plain:
        assert reader.index.droppable.mean() > 0.3
        assert not plain.index.droppable.any()


def test_a_frame_before_its_key_is_decoded_from_the_group_before() -> None:
    with PyavReader(VIDEOS / "h264_opengop.mp4") as reader:
        index = reader.index
        keys = np.flatnonzero(index.key)
        late = next(
            one for one in range(60)
            if (key := keys[keys <= index.order[one]][-1]) and index.pts[index.order[one]] < index.pts[key]
        )  # fmt: skip
        (run,) = plan_spans(index, [late])
        assert run.key < keys[keys <= index.order[late]][-1]
        (shot,) = reader.frames([late], Event())
        assert shot.pixels is not None
        assert numbers(shot.pixels[None]) == [late]


@pytest.mark.parametrize("name", ["ok.mp4", "hevc_closed.mp4", "vp9.webm", "h264_10bit.mp4", "bt709.mp4", "mpeg4.avi"])
def test_native_frames_equal_those_of_sequential_decoding_bit_for_bit(name: str) -> None:
    path = VIDEOS / name
    with av.open(str(path)) as container:
        converter = RgbConverter()
        plain = [converter.convert(frame) for frame in container.decode(video=0)]
    clip = decoded(read_clips(path, [ClipRequest("a", path, 0.3, 1.9, FrameRule(count=16))]))["a"]
    assert clip.receipt.resize == "none"
    assert np.array_equal(clip.frames, np.stack([plain[one] for one in clip.receipt.indices]))


def test_clips_come_in_the_order_of_their_last_frames() -> None:
    asked = [ClipRequest(f"{start}", OK, start, start + 0.2, NATIVE) for start in (1.5, 0.1, 0.9, 0.5)]
    asked.append(ClipRequest("whole", OK, 0, None, NATIVE))
    assert list(decoded(read_clips(OK, asked))) == ["0.1", "0.5", "0.9", "1.5", "whole"]


def test_a_frame_that_clips_share_is_converted_once() -> None:
    clips = decoded(read_clips(OK, [ClipRequest(key, OK, 0, 2, NATIVE) for key in "ab"]))
    assert clips["a"].receipt == clips["b"].receipt
    with PyavReader(OK) as reader:
        asked = Counter(shot.number for shot in reader.frames(clips["a"].receipt.indices, Event()))
    assert set(asked.values()) == {1}


def test_times_and_pixels_of_a_clip_are_those_of_its_frames() -> None:
    clip = decoded(read_clips(OK, [ClipRequest("a", OK, 1, 2, NATIVE)]))["a"]
    # Midpoints 1.125, 1.375, 1.625, 1.875 s at 30 frames a second: 33.75, 41.25, 48.75, 56.25.
    assert clip.receipt.indices == (33, 41, 48, 56)
    assert numbers(clip.frames) == [33, 41, 48, 56]
    assert clip.times == pytest.approx([33 / 30, 41 / 30, 48 / 30, 56 / 30])
    assert clip.frames.dtype == np.uint8
    assert clip.frames.shape == (4, 96, 160, 3)


@pytest.mark.parametrize("name", ["ok.mp4", "ok.mkv", "ok.ts", "vp8.webm"])
@pytest.mark.parametrize("observed", [0, 1, 2, 20, 31, 59])
def test_the_last_rule_shows_the_observation_frame_last_and_nothing_after_it(name: str, observed: int) -> None:
    path = VIDEOS / name
    request = ClipRequest("a", path, 0, observed / 30, FrameRule(count=5, last=True))
    clip = decoded(read_clips(path, [request]))["a"]
    shown = numbers(clip.frames)
    assert shown[-1] == observed
    assert max(shown) == observed


def test_frames_are_made_smaller_with_their_aspect_kept() -> None:
    clip = decoded(read_clips(OK, [ClipRequest("a", OK, 0, None, FrameRule(count=2, short_side=48))], resize="pil"))[
        "a"
    ]
    assert clip.frames.shape == (2, 48, 80, 3)
    assert (clip.receipt.width, clip.receipt.height) == (80, 48)
    assert clip.receipt.resize.startswith("pil bicubic")


def test_clips_of_one_frame_may_ask_for_different_sizes() -> None:
    asked = [ClipRequest(str(side), OK, 0, 1, FrameRule(count=1, short_side=side)) for side in (24, 48, 96)]
    found = decoded(read_clips(OK, asked))
    assert [found[key].frames.shape[1:3] for key in ("24", "48", "96")] == [(24, 40), (48, 80), (96, 160)]


def test_the_receipt_hashes_shape_and_pixels() -> None:
    clip = decoded(read_clips(OK, [ClipRequest("a", OK, 0, 1, NATIVE)]))["a"]
    expected = hashlib.sha256(b"4x96x160x3\n" + clip.frames.tobytes()).hexdigest()
    assert clip.receipt.sha256 == expected == pixel_hash(clip.frames[::-1][::-1])
    assert clip.receipt.decoder == f"pyav {av.__version__}"


def test_receipts_are_the_same_in_every_run_and_survive_json() -> None:
    asked = [ClipRequest(key, OK, start, None, FrameRule(short_side=64)) for key, start in (("a", 0), ("b", 1))]
    first, second = (decoded(read_clips(OK, asked)) for _ in range(2))
    for key in "ab":
        assert first[key].receipt == second[key].receipt
        assert Receipt.from_json(first[key].receipt.to_json()) == first[key].receipt


def test_every_decoder_gives_the_same_pixels(other_decoder: str) -> None:
    request = ClipRequest("a", OK, 0, None, FrameRule(short_side=64))
    ours = decoded(read_clips(OK, [request]))["a"].receipt
    theirs = decoded(read_clips(OK, [request], decoder=other_decoder))["a"].receipt
    assert theirs.sha256 == ours.sha256
    assert theirs.decoder.startswith(other_decoder)


def test_a_clip_that_starts_where_the_file_has_ended_is_an_error_and_names_both() -> None:
    found = {
        clip.key: clip for clip in read_clips(OK, [ClipRequest(str(at), OK, at, at + 1, NATIVE) for at in (1.9, 2)])
    }
    late = found["2"]
    assert isinstance(found["1.9"], DecodedClip)
    assert isinstance(late, FailedClip)
    assert isinstance(late.error, ShortVideoError)
    assert "clip '2' starts at 2 s, but the video ends at 2.000 s" in str(late.error)


def test_a_missing_file_fails_every_clip() -> None:
    path = VIDEOS / "nowhere.mp4"
    found = list(read_clips(path, [ClipRequest(key, path, 0, 1, NATIVE) for key in "ab"]))
    assert [clip.key for clip in found] == ["a", "b"]
    assert all(isinstance(clip, FailedClip) and isinstance(clip.error, MissingVideoError) for clip in found)


def test_file_names_may_hold_what_a_protocol_or_a_pattern_would(tmp_path: Path) -> None:

    for name in ("recording|P1|0|20.mp4", "file:x.mp4", "frame_%03d.mp4", "with space #1?.mp4"):
        path = tmp_path / name
        path.write_bytes(OK.read_bytes())
        clip = decoded(read_clips(path, [ClipRequest("a", path, 0, 1, NATIVE)]))["a"]
        assert numbers(clip.frames) == [3, 11, 18, 26]


def test_a_picture_that_changes_its_size_within_a_clip_is_refused(tmp_path: Path) -> None:
    parts = [tmp_path / "small.h264", tmp_path / "large.h264"]
    for part, (width, height) in zip(parts, ((64, 48), (96, 64)), strict=True):
        with av.open(str(part), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for shade in range(10):
                picture = np.full((height, width, 3), shade * 20, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    (clip,) = read_clips(path, [ClipRequest("a", path, 0, None, NATIVE)])
    assert isinstance(clip, FailedClip)
    assert isinstance(clip.error, UnsupportedVideoError)


def test_wrong_arguments_are_value_errors() -> None:
    request = ClipRequest("a", OK, 0, 1, NATIVE)
    with pytest.raises(ValueError, match="no decoder 'mplayer'"):
        next(read_clips(OK, [request], decoder="mplayer"))
    with pytest.raises(ValueError, match="no way to resize is called 'nearest'"):
        next(read_clips(OK, [request], resize="nearest"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="is of"):
        next(read_clips(VIDEOS / "ok.mkv", [request]))
    with pytest.raises(ValueError, match="expected finite numbers"):
        ClipRequest("a", OK, float("nan"), None, NATIVE)
