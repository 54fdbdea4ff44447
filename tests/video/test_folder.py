"""A video stored as a folder of its frames: the same frames at the same times as from the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from egobench.errors import (
    DamagedVideoError,
    MissingVideoError,
    ShortVideoError,
    UnreadableVideoError,
    UnsupportedVideoError,
    VideoError,
)
from egobench.evaluate import evaluate
from egobench.miniego.official.files import Film
from egobench.miniego.rendering import render
from egobench.miniego.world.simulate import simulate
from egobench.plugins import load_model
from egobench.run.store import open_run, read_run
from egobench.video import (
    ClipRequest,
    DecodedClip,
    FailedClip,
    FrameRule,
    fingerprint,
    plan_summary,
    probe,
    read_clips,
    stored_as,
)
from tests.conftest import Navigation, write_frames

STRETCHES: list[tuple[float, float | None]] = [(0.0, 0.5), (0.4, 2.9), (1.234, 1.3), (2.0, None), (0.0, None)]


@pytest.fixture(scope="module")
def epic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of MiniEgo filmed as EPIC-KITCHENS, at 15000/1001 frames a second."""
    path = tmp_path_factory.mktemp("epic") / "P01" / "P01_01.MP4"
    render(simulate("small").epic[0], [Film(path, "ego", 0.0, 3.0)], timecode=False)
    return path


def read(path: Path, stretches: Sequence[tuple[float, float | None]], side: int = 336) -> dict[str, DecodedClip]:
    clips = [ClipRequest(f"{each}", path, *each, FrameRule(count=8, short_side=side)) for each in stretches]
    return {clip.key: clip for clip in read_clips(path, clips, resize="pil") if isinstance(clip, DecodedClip)}


def failure(path: Path, start: float, end: float | None) -> VideoError | None:
    (clip,) = read_clips(path, [ClipRequest("one", path, start, end, FrameRule(count=2, min_seconds=0))], resize="pil")
    return clip.error if isinstance(clip, FailedClip) else None


def grey_frames(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        Image.new("RGB", (8, 6), (number, number, number)).save(folder / f"frame_{number:010d}.png")
    return folder


@pytest.mark.parametrize("side", [336, 96])
def test_frames_and_times_are_those_of_the_file(epic: Path, tmp_path: Path, side: int) -> None:
    folder = write_frames(epic, tmp_path / "P01_01", "15000/1001")
    of_file, of_folder = read(epic, STRETCHES, side), read(folder, STRETCHES, side)
    assert len(of_file) == len(of_folder) == len(STRETCHES)
    for key, clip in of_file.items():
        other = of_folder[key]
        assert np.array_equal(clip.frames, other.frames)
        assert clip.receipt.sha256 == other.receipt.sha256
        assert (clip.receipt.times, clip.receipt.indices) == (other.receipt.times, other.receipt.indices)
        assert other.receipt.decoder.startswith("pillow ")
    assert probe(folder).fps == pytest.approx(probe(epic).fps)
    assert probe(folder).duration == pytest.approx(probe(epic).duration)


def test_jpeg_frames_have_the_times_of_the_file_and_nearly_its_pixels(epic: Path, tmp_path: Path) -> None:
    folder = write_frames(epic, tmp_path / "P01_01", "15000/1001", ".jpg")
    of_file, of_folder = read(epic, STRETCHES), read(folder, STRETCHES)
    for key, clip in of_file.items():
        assert clip.receipt.times == of_folder[key].receipt.times
        assert np.abs(clip.frames.astype(int) - of_folder[key].frames).mean() < 3  # of 255


@pytest.mark.parametrize(("name", "rate"), [("P01_01", 60), ("P01_101", 50), ("P22_07.MP4", 60)])
def test_released_frames_are_60_or_50_a_second_by_their_name(tmp_path: Path, name: str, rate: int) -> None:
    folder = grey_frames(tmp_path / name, 120)
    assert (probe(folder).fps, probe(folder).duration) == (rate, 120 / rate)
    (clip,) = read(folder, [(0.5, 1.5)]).values()
    # Middles of eight parts of the second from 0.5 on; frame floor(t * rate) + 1 is on display, and as bright as that.
    shown = [int((0.5 + (part + 0.5) / 8) * rate) + 1 for part in range(8)]
    assert clip.frames[:, 0, 0, 0].tolist() == shown
    assert clip.times.tolist() == [(number - 1) / rate for number in shown]


def test_only_the_clips_that_need_a_bad_frame_fail(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_101", 100)
    (folder / "frame_0000000020.png").unlink()
    whole = (folder / "frame_0000000080.png").read_bytes()
    (folder / "frame_0000000080.png").write_bytes(whole[: len(whole) // 2])
    assert isinstance(failure(folder, 0.36, 0.4), DamagedVideoError)
    assert isinstance(failure(folder, 1.56, 1.6), DamagedVideoError)
    assert failure(folder, 0.5, 1.5) is None
    assert isinstance(failure(folder, 2.0, None), ShortVideoError)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, "its frame rate is not known"),
        ("fast", "expected a number such as 50"),
        ("1/0", "expected a number such as 50"),
        ("-1", "expected more than 0"),
    ],
)
def test_a_rate_that_is_not_known_is_an_error(tmp_path: Path, rate: str | None, words: str) -> None:
    folder = grey_frames(tmp_path / "kitchen", 4)
    if rate is not None:
        (folder / "fps.txt").write_text(rate)
    assert words in str(failure(folder, 0.0, None))


def test_other_folders_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "P01_01").mkdir()
    assert isinstance(failure(tmp_path / "P01_01", 0.0, None), UnreadableVideoError)
    folder = grey_frames(tmp_path / "P01_02", 3)
    (folder / "frame_0000000009.png").write_bytes(b"")
    assert "holds 4 of 9 frames" in str(failure(folder, 0.0, None))
    (folder / "frame_0000000009.png").unlink()
    (folder / "frame_0000000001.png").write_text("<html>")
    assert "no picture" in str(failure(folder, 0.0, None))


def test_a_file_goes_before_a_folder_that_may_stand_for_it(tmp_path: Path) -> None:
    video = tmp_path / "P01" / "P01_01.MP4"
    assert stored_as(video) == video
    (tmp_path / "P01" / "rgb_frames").mkdir(parents=True)
    released = grey_frames(tmp_path / "P01" / "rgb_frames" / "P01_01", 2)
    assert stored_as(video) == released
    beside = grey_frames(tmp_path / "P01" / "P01_01", 2)
    assert stored_as(video) == beside
    video.write_bytes(b"")
    assert stored_as(video) == video


def test_a_fingerprint_follows_frames_and_rate(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_01", 3)
    prints = {fingerprint(folder)}
    Image.new("RGB", (8, 6)).save(folder / "frame_0000000003.png")
    prints.add(fingerprint(folder))
    (folder / "fps.txt").write_text("50")
    prints.add(fingerprint(folder))
    (folder / "fps.txt").write_text("60")
    prints.add(fingerprint(folder))
    assert len(prints) == 4
    with pytest.raises(UnreadableVideoError):
        fingerprint(tmp_path)
    with pytest.raises(MissingVideoError):
        fingerprint(tmp_path / "none")


def test_a_folder_that_begins_at_frame_zero_shows_it_first(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_101", 100)  # frame n is as bright as n
    Image.new("RGB", (8, 6), (200, 200, 200)).save(folder / "frame_0000000000.png")
    assert stored_as(tmp_path / "P01_101.MP4") == folder
    assert (probe(folder).frames, probe(folder).duration) == (101, 2.02)
    (clip,) = read(folder, [(0.0, 0.16)]).values()  # eight parts of 0.5 s, 25 frames: 1.56, 4.69, 7.81 ...
    assert clip.receipt.indices == (1, 4, 7, 10, 14, 17, 20, 23)
    assert clip.frames[:, 0, 0, 0].tolist() == [1, 4, 7, 10, 14, 17, 20, 23]
    (first,) = read_clips(folder, [ClipRequest("a", folder, 0, 0.02, FrameRule(count=1, min_seconds=0))])
    assert isinstance(first, DecodedClip)
    assert first.frames[0, 0, 0].tolist() == [200, 200, 200]


def test_a_folder_that_begins_at_frame_zero_alone_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "P01_01"
    folder.mkdir()
    Image.new("RGB", (8, 6), (7, 7, 7)).save(folder / "frame_0000000000.png")
    assert stored_as(tmp_path / "P01_01.MP4") == folder
    assert probe(folder).frames == 1


def frame_folder(path: Path, picture: Image.Image, suffix: str = ".png", **options: Any) -> Path:
    path.mkdir()
    (path / "fps.txt").write_text("30")
    picture.save(path / f"frame_0000000001{suffix}", **options)
    return path


def first_frame(folder: Path) -> np.ndarray:
    (clip,) = read_clips(folder, [ClipRequest("a", folder, 0, None, FrameRule(count=1))])
    assert isinstance(clip, DecodedClip), clip
    pixels: np.ndarray = clip.frames[0]
    return pixels


def test_grey_of_sixteen_bits_is_scaled_to_eight(tmp_path: Path) -> None:
    levels = np.array([[0, 257, 128, 129], [32768, 65535, 65407, 65406]], np.uint16)
    pixels = first_frame(frame_folder(tmp_path / "a", Image.fromarray(levels)))
    # level / 257, rounded: 65535 is white and 257 levels make one.
    assert pixels[:, :, 0].tolist() == [[0, 1, 0, 1], [128, 255, 255, 254]]
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "RGB"])
def test_other_modes_of_pictures_have_the_same_pixels(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert(mode)
    assert first_frame(frame_folder(tmp_path / "a", picture))[:, :, 1].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize(
    ("orientation", "displayed"),
    [
        (1, [[10, 20, 30], [40, 50, 60]]),
        (2, [[30, 20, 10], [60, 50, 40]]),
        (3, [[60, 50, 40], [30, 20, 10]]),
        (4, [[40, 50, 60], [10, 20, 30]]),
        (5, [[10, 40], [20, 50], [30, 60]]),
        (6, [[40, 10], [50, 20], [60, 30]]),
        (7, [[60, 30], [50, 20], [40, 10]]),
        (8, [[30, 60], [20, 50], [10, 40]]),
    ],
)
def test_a_frame_is_turned_as_its_exif_says(tmp_path: Path, orientation: int, displayed: list[list[int]]) -> None:
    picture = Image.fromarray(np.array([[10, 20, 30], [40, 50, 60]], np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation  # TIFF 6.0, section 8, "Orientation"
    folder = frame_folder(tmp_path / "a", picture, exif=exif)
    assert first_frame(folder)[:, :, 0].tolist() == displayed
    assert (probe(folder).height, probe(folder).width) == np.shape(displayed)


def test_a_frame_with_oblong_pixels_is_refused(tmp_path: Path) -> None:
    picture = Image.new("RGB", (160, 96))
    assert first_frame(frame_folder(tmp_path / "dots", picture, ".jpg", dpi=(72, 72))).shape == (96, 160, 3)
    error = failure(frame_folder(tmp_path / "oblong", picture, ".jpg", dpi=(300, 72)), 0.0, None)
    assert isinstance(error, UnsupportedVideoError)
    assert "oblong" in str(error)


def test_two_pictures_of_one_number_are_refused(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_01", 3)
    Image.new("RGB", (8, 6)).save(folder / "frame_0000000002.jpg")
    assert "two frames 0000000002" in str(failure(folder, 0.0, None))


@pytest.mark.timeout(60)
def test_frames_that_are_no_files_fail_without_waiting(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_01", 60)
    (folder / "frame_0000000001.png").unlink()
    os.mkfifo(folder / "frame_0000000001.png")
    assert isinstance(failure(folder, 0.0, None), UnreadableVideoError)
    (folder / "frame_0000000001.png").unlink()
    Image.new("RGB", (8, 6)).save(folder / "frame_0000000001.png")
    (folder / "frame_0000000030.png").unlink()
    os.mkfifo(folder / "frame_0000000030.png")
    assert isinstance(failure(folder, 29 / 60, 29.5 / 60), DamagedVideoError)


@pytest.mark.parametrize("rate", ["1e999999999", "9" * 5000, "nan", "inf", "60 60", "0x3c", "١٢"])
def test_a_rate_that_is_no_plain_number_is_an_error(tmp_path: Path, rate: str) -> None:
    folder = grey_frames(tmp_path / "kitchen", 4)
    (folder / "fps.txt").write_text(rate)
    assert "expected a number such as 50" in str(failure(folder, 0.0, None))


def test_a_picture_too_large_to_be_one_is_a_damaged_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = grey_frames(tmp_path / "P01_01", 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow raises at twice as many
    assert isinstance(failure(folder, 0.0, None), UnreadableVideoError)


def test_a_frame_is_all_that_is_decoded_for_a_frame(tmp_path: Path) -> None:
    folder = grey_frames(tmp_path / "P01_01", 60)
    summary = plan_summary([ClipRequest("one", folder, 0.0, None, FrameRule(count=8))])
    assert (summary.files, summary.frames, summary.decoded) == (1, 8, 8)


def test_a_run_on_frames_sees_what_a_run_on_files_sees(navigation: Navigation, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for sample in navigation.sample_set.samples:
        write_frames(navigation.videos / sample.video, (frames / sample.video).with_suffix(""), "12")
    seen: list[list[str]] = []
    for videos in (navigation.videos, frames):
        run = evaluate(load_model("random", frames=4), [navigation.sample_set], videos, tmp_path / videos.name)
        with open_run(tmp_path / videos.name, read_run(run.path).spec, {}) as kept:
            rows = kept.predictions("vln-qa.all.mcq.official")
        seen.append([str(receipt["sha256"]) for key in sorted(rows) if (receipt := rows[key].receipt) is not None])
    assert len(seen[0]) == 12
    assert seen[0] == seen[1]
