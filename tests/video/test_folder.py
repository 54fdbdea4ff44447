"""A video stored as a folder of its frames: the same frames at the same times as from the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from egobench.errors import DamagedVideoError, MissingVideoError, ShortVideoError, UnreadableVideoError, VideoError
from egobench.evaluate import evaluate
from egobench.miniego.files import Film
from egobench.miniego.generate import render, simulate
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
        (None, "how many frames a second shows"),
        ("fast", "expected a number such as 50"),
        ("1/0", "expected a number such as 50"),
        ("-1", "expected more than 0"),
    ],
)
def test_a_rate_that_nobody_knows_is_an_error(tmp_path: Path, rate: str | None, words: str) -> None:
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
