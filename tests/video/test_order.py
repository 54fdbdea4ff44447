"""Order of display where a container stamps none, or stamps decoding times: the order in which a decoder puts out."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Final

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from egobench.errors import UnsupportedVideoError
from egobench.video import ClipRequest, DecodedClip, FrameRule, read_clips
from egobench.video.decoders import open_reader
from egobench.video.index import VideoIndex, read_index
from egobench.video.numbering import MOST_WAITING, FrameNumbering
from egobench.video.pyav import PyavReader
from tests.video.ffmpeg import reference_frames, run_ffmpeg, write_pattern

FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "video"
H264: Final = ("-c:v", "libx264", "-b_strategy", "0", "-g", "24", "-pix_fmt", "yuv420p", "-bf")


def assert_right(path: Path, numbers: list[int] | range) -> None:
    expected = reference_frames(path)
    with open_reader("pyav", path, 1) as reader:
        assert len(reader.index.times) == len(expected)
        frames = list(reader.frames(numbers, Event()))
    assert [frame.number for frame in frames] == list(numbers)
    for frame in frames:
        assert frame.pixels is not None, frame.error
        assert np.array_equal(frame.pixels, expected[frame.number]), frame.number


@pytest.mark.parametrize("suffix", ["avi", "asf"])
@pytest.mark.parametrize(
    "options",
    [(*H264, "8"), ("-c:v", "libxvid", "-bf", "2"), ("-c:v", "mpeg4", "-bf", "2"), ("-c:v", "mpeg2video", "-bf", "2")],
)
def test_decoding_times_are_not_taken_for_display_times(tmp_path: Path, options: tuple[str, ...], suffix: str) -> None:
    path = write_pattern(tmp_path / f"b.{suffix}", *options, frames=40)
    assert not read_index(path).stamped
    assert_right(path, range(38))  # Xvid's encoder leaves out two
    assert_right(path, [3, 17, 36])


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("options", [(*H264, "3"), ("-c:v", "mpeg4", "-bf", "2")])
def test_an_mp4_that_was_stamped_with_decoding_times_is_read_in_order_of_output(
    tmp_path: Path, options: tuple[str, ...], suffix: str
) -> None:
    source = write_pattern(tmp_path / "b.avi", *options, frames=40)
    path = tmp_path / f"b.{suffix}"
    with av.open(source) as container, av.open(path, "w") as copy:
        stream = copy.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(packet for packet in container.demux(video=0) if packet.size):
            packet.pts = packet.dts = number
            packet.stream = stream
            copy.mux(packet)
    index = read_index(path)
    assert not index.stamped
    assert not index.seekable
    assert_right(path, range(40))
    assert_right(path, [3, 17, 36])


def test_other_decoders_refuse_a_file_that_was_stamped_with_decoding_times(tmp_path: Path, other_decoder: str) -> None:
    source = write_pattern(tmp_path / "b.avi", "-c:v", "mpeg4", "-bf", "2", frames=40)
    path = tmp_path / "b.mp4"
    run_ffmpeg("-i", str(source), "-c", "copy", str(path))
    if read_index(path).seekable:
        pytest.skip("this ffmpeg mends the time stamps")
    with pytest.raises(UnsupportedVideoError, match="without display times"):
        open_reader(other_decoder, path, 1)


def test_a_stream_that_could_reorder_and_does_not_is_still_sought(tmp_path: Path) -> None:
    path = write_pattern(tmp_path / "p.mp4", "-c:v", "mpeg4", "-bf", "0", "-g", "6", frames=24)
    with PyavReader(path) as reader:
        assert reader.index.seekable
        list(reader.frames([20], Event()))
        assert (reader.open_count, reader.seek_count) == (1, 1)
        assert reader.decode_count < 6


def test_the_times_of_an_avi_are_those_of_its_rate(tmp_path: Path) -> None:
    path = write_pattern(tmp_path / "x.avi", "-c:v", "libxvid", "-bf", "2", frames=40)
    assert read_index(path).times == pytest.approx([number / 10 for number in range(38)])
    (clip,) = read_clips(path, [ClipRequest("a", path, 1.0, 2.0, FrameRule(count=5))])
    assert isinstance(clip, DecodedClip)
    assert clip.receipt.indices == (11, 13, 15, 17, 19)  # 1.1, 1.3 ... 1.9 s at ten frames a second


class Output:
    """Frames as they come out of a decoder, for packets in the order I P B b of ``ok.mp4``."""

    def __init__(self, index: VideoIndex) -> None:
        self.numbering = FrameNumbering(index)
        self.numbers: list[int] = []

    def put_out(self, position: int) -> None:
        frame = VideoFrame(16, 16)
        self.numbers += [numbered.number for numbered in self.numbering.receive(position, frame, intact=True)]


@pytest.fixture
def stamped() -> VideoIndex:
    return read_index(FIXTURES / "ok.mp4")


def test_a_frame_waits_for_packets_that_were_decoded_before_it(stamped: VideoIndex) -> None:
    output = Output(stamped)
    ranks = np.argsort(stamped.order)
    assert ranks[0] < ranks[2] < ranks[1]  # the third packet is displayed before the second
    for position in range(3):
        output.numbering.feed(position)
    output.put_out(0)
    output.put_out(2)
    assert output.numbers == [0]
    output.put_out(1)
    assert output.numbers == [0, int(ranks[2]), int(ranks[1])]


def test_stamps_that_contradict_the_order_of_output_give_way_to_counting(stamped: VideoIndex) -> None:
    output = Output(stamped)
    for position in range(3):
        output.numbering.feed(position)
    for position in (0, 1, 2):  # by its stamps the third packet is displayed before the second
        output.put_out(position)
    assert output.numbers[0] == 0
    assert output.numbering.uncertain or output.numbers == [0, 1, 2]


def test_without_stamps_a_lost_frame_ends_the_numbering() -> None:
    index = read_index(FIXTURES / "mpeg4.avi")
    output = Output(index)
    for position in range(60):
        output.numbering.feed(position)
    for position in [0, *range(2, 60)]:
        output.put_out(position)
    assert output.numbering.uncertain
    assert output.numbers == [0]
    assert output.numbering.release_rest() == []
    assert MOST_WAITING < 58
