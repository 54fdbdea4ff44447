"""Files of an episode: the right frames at the right rate, the same bytes every time, whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from egobench.miniego.drawing import timecode
from egobench.miniego.drawing.encode import VideoTarget, write_videos
from egobench.miniego.drawing.renderer import Renderer
from egobench.miniego.drawing.timecode import Picture
from egobench.miniego.world.episode import VIEWS
from tests.miniego.small_world import kitchen

EPISODE = kitchen(("cup", "red", "right"), ("plate", "blue", "counter"), step=("shake", "cup-1", None), number=321)


def decoded(path: Path) -> list[Picture]:
    """Every frame of a file in order of display."""
    with av.open(path, "r") as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in container.decode(video=0)]


def codes(path: Path) -> list[tuple[int, int] | None]:
    """The timecode of every frame of a file."""
    return [timecode.read(frame) for frame in decoded(path)]


@pytest.mark.parametrize(
    ("fps", "rate"), [(10, Fraction(10)), (30, Fraction(30)), (59.94005994, Fraction(60000, 1001))]
)
def test_a_file_has_every_frame_of_its_clip_at_its_rate(tmp_path: Path, fps: float, rate: Fraction) -> None:
    write_videos(EPISODE, [VideoTarget(tmp_path / "a.mp4", "ego", 0, 4, fps, timecode=True)])
    with av.open(tmp_path / "a.mp4", "r") as container:
        assert container.streams.video[0].average_rate == rate
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / rate for index in range(round(4 * fps))], abs=1e-3)
    assert codes(tmp_path / "a.mp4") == [(321, index) for index in range(round(4 * fps))]


def test_overlapping_clips_and_the_whole_show_the_same_frames(tmp_path: Path) -> None:
    spans = {"whole": (0, 4), "early": (0.5, 2.5), "late": (2.0, 4.0), "one": (1.0, 1.1)}
    targets = [VideoTarget(tmp_path / name / "V.MP4", "ego", *span, 10, timecode=True) for name, span in spans.items()]
    write_videos(EPISODE, targets)
    for target, (start, end) in zip(targets, spans.values(), strict=True):
        assert codes(target.path) == [(321, index) for index in range(round(10 * start), round(10 * end))]


def test_the_same_targets_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        targets = [VideoTarget(tmp_path / folder / f"{view}.mp4", view, 0, 2, 10, timecode=False) for view in VIEWS[:3]]
        write_videos(EPISODE, targets if folder == "first" else targets[::-1])
    for name in ("ego.mp4", "exo1.mp4", "exo2.mp4"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_decoded_frame_is_the_rendered_picture_but_for_compression(tmp_path: Path) -> None:
    write_videos(EPISODE, [VideoTarget(tmp_path / "a.mp4", "ego", 0, 4, 10, timecode=False)])
    for index in (0, 13, 27, 39):
        rendered = Renderer(EPISODE, "ego").picture(index / 10).astype(int)
        assert np.abs(decoded(tmp_path / "a.mp4")[index] - rendered).mean() < 4


def test_one_file_may_carry_the_timecode_and_another_of_the_same_frames_not(tmp_path: Path) -> None:
    targets = [VideoTarget(tmp_path / f"{flag}.mp4", "ego", 0, 1, 10, timecode=flag) for flag in (True, False)]
    write_videos(EPISODE, targets)
    assert codes(tmp_path / "True.mp4") == [(321, index) for index in range(10)]
    assert codes(tmp_path / "False.mp4") == [None] * 10


def test_a_file_has_bidirectional_frames_and_a_key_frame_every_three_seconds(tmp_path: Path) -> None:
    write_videos(EPISODE, [VideoTarget(tmp_path / "a.mp4", "ego", 0, 4, 10, timecode=False)])
    with av.open(tmp_path / "a.mp4", "r") as container:
        kinds = [(frame.key_frame, PictureType(frame.pict_type).name) for frame in container.decode(video=0)]
    assert [index for index, (key, _) in enumerate(kinds) if key] == [0, 30]
    assert sum(kind == "B" for _, kind in kinds) >= 20


def test_the_index_stands_before_the_frames(tmp_path: Path) -> None:
    write_videos(EPISODE, [VideoTarget(tmp_path / "a.mp4", "ego", 0, 1, 10, timecode=False)])
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_an_interrupted_file_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "taken.mp4" / "by a folder").mkdir(parents=True)
    targets = [
        VideoTarget(tmp_path / name, "ego", 0, end, 10, timecode=False)
        for name, end in (("taken.mp4", 1), ("other.mp4", 2))
    ]
    with pytest.raises(OSError, match=r"taken\.mp4"):
        write_videos(EPISODE, targets)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.mp4"]


@pytest.mark.parametrize(
    ("start", "end", "fps", "size", "problem"),
    [
        (2, 2, 10, (256, 192), "no frame from 2 to 2 s"),
        (-1, 2, 10, (256, 192), "no frame from -1 to 2 s"),
        (0, 2, 0, (256, 192), "at 0 frames a second"),
        (0, 2, 10, (255, 192), "even width and height, not 255x192"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    start: float, end: float, fps: float, size: tuple[int, int], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        VideoTarget(Path("a.mp4"), "ego", start, end, fps, timecode=False, size=size)
