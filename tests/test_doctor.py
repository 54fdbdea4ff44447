"""The doctor: real files that are missing, damaged, too short or stored in another way, and samples that ask for them.

The videos of the navigation task have 24 frames at 12 per second, so they last 2 s.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from egobench.dataset.sampleset import SampleSet
from egobench.doctor import Health, examine
from egobench.errors import SampleSetError, StoreError
from egobench.video.check import check_file, read_checks
from tests.cli import egobench
from tests.conftest import Navigation, write_frames, write_video

FIXTURES = Path(__file__).parent / "fixtures" / "video"


def look(
    navigation: Navigation, *, decode: bool = False, workers: int = 1, sample_set: SampleSet | None = None
) -> Health:
    sets = [(navigation.data / "vln-qa" / "official", sample_set or navigation.sample_set)]
    kept = navigation.data / "doctor.jsonl"
    return examine(sets, navigation.videos, kept, workers=workers, decode=decode)


def with_clips(sample_set: SampleSet, clips: list[tuple[float, float | None]]) -> SampleSet:
    """The same samples, the first of them about other stretches."""
    first = [
        replace(sample, start=start, end=end) for sample, (start, end) in zip(sample_set.samples, clips, strict=False)
    ]
    return SampleSet(sample_set.manifest, (*first, *sample_set.samples[len(first) :]))


def doctor(navigation: Navigation, *arguments: str) -> subprocess.CompletedProcess[str]:
    return egobench("doctor", navigation.data, "--videos", navigation.videos, *arguments)


def test_a_healthy_set_is_covered_in_full_and_its_files_are_described(navigation: Navigation) -> None:
    health = look(navigation)
    (one,) = health.sets
    assert (one.set, one.layout, one.problems) == ("vln-qa/official", "12 pre-cut clips", {})
    assert (one.needed, one.found, one.readable, one.samples, one.answerable) == (12, 12, 12, 12, 12)
    assert health.coverage == 1.0
    check = health.videos[0].check
    assert check is not None
    assert (check.frames, check.fps, check.seconds, check.width, check.height) == (24, 12.0, 2.0, 64, 48)
    assert (check.variable_rate, check.edit_list, check.decoded) == (False, False, False)


def test_missing_and_unreadable_videos_are_named_and_not_covered(navigation: Navigation) -> None:
    navigation.video(0).unlink()
    navigation.video(1).write_text("<html>Please log in</html>")
    navigation.video(2).write_bytes(b"")
    health = look(navigation)
    (one,) = health.sets
    assert (one.found, one.readable, one.answerable) == (11, 9, 9)
    assert one.problems == {"unreadable": 2, "missing": 1}
    assert health.coverage == 0.75
    assert "no such video" in health.videos[0].problems["missing"]
    assert "cannot be opened as a video" in health.videos[1].problems["unreadable"]


def test_a_video_under_another_extension_is_pointed_at(navigation: Navigation) -> None:
    there = navigation.video(0).rename(navigation.video(0).with_suffix(".MP4"))
    assert f"there is {there}: rename or link it" in look(navigation).videos[0].problems["missing"]


def test_every_clip_is_held_against_the_real_length(navigation: Navigation) -> None:
    clips: list[tuple[float, float | None]] = [(0.5, 1.5), (2.0, 3.0), (1.0, 2.4), (1.0, 2.6), (5.0, None)]
    health = look(navigation, sample_set=with_clips(navigation.sample_set, clips))
    (one,) = health.sets
    assert one.layout == "12 whole files"
    assert one.problems == {"too short": 2, "clip ends late": 1}
    assert one.answerable == 10
    assert [list(video.problems) for video in health.videos[:5]] == [
        [], ["too short"], [], ["clip ends late"], ["too short"]
    ]  # fmt: skip
    assert "starts at 5 s, but the video ends at 2.000 s" in health.videos[4].problems["too short"]


def test_a_file_that_is_cut_off_still_answers_what_lies_before_the_cut(navigation: Navigation) -> None:
    for number in range(2):
        shutil.copy(FIXTURES / "trunc_faststart.mp4", navigation.video(number))
    check = check_file(FIXTURES / "trunc_faststart.mp4", None, decode=False)
    assert 0.5 < check.intact < check.seconds == 2.0  # 60 frames at 30 per second were promised
    health = look(navigation, sample_set=with_clips(navigation.sample_set, [(0.0, 0.5), (0.0, None)]))
    assert [video.answerable for video in health.videos[:2]] == [1, 0]
    assert set(health.videos[0].problems) == {"cut-off file"}
    assert set(health.videos[1].problems) == {"cut-off file", "cut off"}


def test_damage_in_the_middle_is_found_by_decoding_and_by_nothing_else(navigation: Navigation) -> None:
    for number in range(2):
        shutil.copy(FIXTURES / "hole_zero.mp4", navigation.video(number))
    asked = with_clips(navigation.sample_set, [(0.0, 0.8), (0.0, None)])
    assert look(navigation, sample_set=asked).coverage == 1.0
    health = look(navigation, decode=True, sample_set=asked)
    check = health.videos[1].check
    assert check is not None
    assert check.decoded
    assert check.damaged
    assert all(0.8 < start < end <= 2.0 for start, end in check.damaged)
    assert [video.answerable for video in health.videos[:2]] == [1, 0]
    assert set(health.videos[1].problems) == {"damaged stretch", "damaged"}
    assert all(video.check and not video.check.damaged for video in health.videos[2:])


@pytest.mark.parametrize(
    ("name", "variable", "edited"),
    [
        ("ok.mp4", False, False),
        ("ntsc.mp4", False, False),
        ("nobf.mp4", False, False),
        ("vfr.mp4", True, False),
        ("vfr_speed.mp4", True, False),
        ("cut_editlist.mp4", False, True),
        ("ok.mkv", False, False),
        ("vp9.webm", False, False),
        ("hevc_opengop.mp4", False, False),
    ],
)
def test_variable_frame_rates_and_edit_lists_are_told(name: str, variable: bool, edited: bool) -> None:
    check = check_file(FIXTURES / name, None, decode=False)
    assert (check.error, check.variable_rate, check.edit_list) == ("", variable, edited)


@pytest.mark.parametrize(
    ("name", "turned", "pixel_aspect", "size"),
    [
        ("ok.mp4", "", "", (160, 96)),
        ("rot90.mp4", "turned by 90 degrees counterclockwise", "", (160, 96)),
        ("rot180.mp4", "turned by 180 degrees", "", (160, 96)),
        ("sar43.mp4", "", "4:3", (213, 96)),
    ],
)
def test_turned_pictures_and_oblong_pixels_are_told(
    name: str, turned: str, pixel_aspect: str, size: tuple[int, int]
) -> None:
    check = check_file(FIXTURES / name, None, decode=False)
    assert (check.turned, check.pixel_aspect, (check.width, check.height)) == (turned, pixel_aspect, size)


def test_the_doctor_names_videos_that_are_turned_or_oblong(navigation: Navigation) -> None:
    shutil.copy(FIXTURES / "rot90.mp4", navigation.video(0))
    shutil.copy(FIXTURES / "sar43.mp4", navigation.video(1))
    health = look(navigation)
    assert health.coverage == 1.0
    assert health.sets[0].problems == {"turned picture": 1, "oblong pixels": 1}
    assert "turned by 90 degrees counterclockwise; shown upright" in health.videos[0].problems["turned picture"]
    assert "pixels of 4:3; shown square" in health.videos[1].problems["oblong pixels"]


@pytest.mark.timeout(60)
def test_pipes_and_loops_of_links_are_unreadable_and_nothing_waits(navigation: Navigation) -> None:
    for number in range(3):
        navigation.video(number).unlink()
    os.mkfifo(navigation.video(0))
    navigation.video(1).symlink_to(navigation.video(1).name)
    navigation.video(2).mkdir()
    health = look(navigation, decode=True)
    assert health.sets[0].answerable == 9
    assert "a pipe, socket or device" in health.videos[0].problems["unreadable"]
    assert "unreadable" in health.videos[1].problems
    assert "missing" in health.videos[2].problems


@pytest.mark.parametrize(
    ("stored", "layout", "words"),
    [
        ("{stem}/img_00001.jpg", "frame folder", "1 frame folders"),
        ("rgb_frames/{stem}.tar", "frame archive", "1 frame archives"),
        ("{name}/0.mp4", "chunk folder", "1 chunk folders"),
        ("{stem}/{id}.mp4", "clip by id", "1 clips by id"),
    ],
)
def test_another_layout_is_named_and_said_to_be_unreadable(
    navigation: Navigation, stored: str, layout: str, words: str
) -> None:
    video, sample = navigation.video(0), navigation.sample_set.samples[0]
    video.unlink()
    path = video.parent / stored.format(stem=video.stem, name=video.name, id=sample.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    health = look(navigation)
    assert health.videos[0].layout == layout
    assert "or a folder of frame_0000000001.jpg" in health.videos[0].problems[layout]
    assert health.sets[0].layout == f"11 pre-cut clips, {words}"
    assert (health.sets[0].found, health.sets[0].readable, health.sets[0].answerable) == (12, 11, 11)


@pytest.mark.parametrize("stored", ["{stem}", "rgb_frames/{stem}", "{name}"])
def test_a_folder_of_frames_is_as_good_as_a_file(navigation: Navigation, stored: str) -> None:
    before, video = look(navigation), navigation.video(0)
    frames = write_frames(video, navigation.root / "frames", "12")
    video.unlink()
    folder = video.parent / stored.format(stem=video.stem, name=video.name)
    folder.parent.mkdir(exist_ok=True)
    frames.rename(folder)
    health = look(navigation, decode=True)
    assert (health.coverage, health.sets[0].layout) == (1.0, "11 pre-cut clips, 1 frame folders")
    check, first = health.videos[0].check, before.videos[0].check
    assert check is not None
    assert first is not None
    assert (check.frames, check.fps, check.seconds) == (first.frames, first.fps, first.seconds) == (24, 12.0, 2.0)
    (folder / "frame_0000000005.png").unlink()
    check = look(navigation, decode=True).videos[0].check
    assert check is not None
    assert check.damaged == ((0.333333, 0.416667),)  # the fifth of 12 frames a second


def test_a_folder_of_frames_without_a_rate_is_unreadable(navigation: Navigation) -> None:
    folder = write_frames(navigation.video(0), navigation.video(0).with_suffix(""), "12")
    navigation.video(0).unlink()
    (folder / "fps.txt").unlink()
    assert "its frame rate is not known" in look(navigation).videos[0].problems["unreadable"]


def test_a_second_start_looks_only_at_what_is_new_or_changed(navigation: Navigation) -> None:
    kept = navigation.data / "doctor.jsonl"
    missing = navigation.video(0).rename(navigation.root / "away.mp4")
    assert look(navigation).unchanged == 0
    assert len(kept.read_text().splitlines()) == 11
    missing.rename(navigation.video(0))
    write_video(navigation.video(1), (1, 2, 3), frames=36)
    health = look(navigation)
    assert health.unchanged == 10
    assert len(kept.read_text().splitlines()) == 13
    check = health.videos[1].check
    assert check is not None
    assert check.frames == 36
    assert look(navigation).unchanged == 12


def test_what_was_only_indexed_is_looked_at_again_to_be_decoded(navigation: Navigation) -> None:
    look(navigation)
    assert look(navigation, decode=True).unchanged == 0
    assert look(navigation, decode=True).unchanged == 12
    assert look(navigation).unchanged == 12


def test_a_kill_loses_one_line_at_most(navigation: Navigation) -> None:
    before = look(navigation).to_json()
    kept = navigation.data / "doctor.jsonl"
    kept.write_bytes(kept.read_bytes()[:-9])
    assert len(read_checks(kept)) == 11
    after = look(navigation)
    assert after.unchanged == 11
    assert {**after.to_json(), "unchanged": 0} == before
    assert len(read_checks(kept)) == 12


def test_lines_that_say_something_else_are_not_read(navigation: Navigation) -> None:
    kept = navigation.data / "doctor.jsonl"
    kept.write_text('{"path": "x"}\n[]\nnull\n{"damaged": 3}\n\xff\n', encoding="latin1")
    assert read_checks(kept) == {}
    assert look(navigation).coverage == 1.0


def test_the_number_of_threads_changes_nothing(navigation: Navigation) -> None:
    navigation.video(3).write_text("no video")
    one = look(navigation)
    (navigation.data / "doctor.jsonl").unlink()
    assert look(navigation, workers=4) == one


def test_lengths_and_frame_rates_are_held_against_the_annotation_where_it_gives_them(navigation: Navigation) -> None:
    videos = [sample.video for sample in navigation.sample_set.samples]
    expected = {
        videos[0]: {"seconds": 2.5, "fps": 12},
        videos[1]: {"seconds": 180.0},
        videos[2]: {"fps": 11.98},
        videos[3]: {"fps": 30},
    }
    (navigation.data / "vln-qa" / "official" / "videos.json").write_text(json.dumps(expected))
    health = look(navigation)
    assert health.sets[0].problems == {"other length": 1, "other frame rate": 1}
    assert health.coverage == 1.0
    assert "12.000 frames per second, 30 in the annotation" in health.videos[3].problems["other frame rate"]
    (navigation.data / "vln-qa" / "official" / "videos.json").write_text("[1]")
    with pytest.raises(SampleSetError, match="expected seconds and fps by video"):
        look(navigation)


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(navigation: Navigation) -> None:
    sets = [(navigation.data, navigation.sample_set)]
    with pytest.raises(StoreError, match="cannot be written"):
        examine(sets, navigation.videos, navigation.root / "none" / "doctor.jsonl")


def test_the_command_prints_tables_and_ends_with_one_below_the_least_coverage(navigation: Navigation) -> None:
    assert doctor(navigation).returncode == 0
    navigation.video(0).unlink()
    done = doctor(navigation)
    assert done.returncode == 1
    words = " ".join(done.stdout.split())
    assert "vln-qa/official" in words
    assert "91.7" in words  # 11 of 12
    assert "missing" in words
    assert "11 files have not changed" in done.stderr
    assert "91.7% of the samples of the least covered sample set" in done.stderr
    assert "Traceback" not in done.stderr
    assert doctor(navigation, "--min-coverage", "0.9").returncode == 0


def test_the_command_gives_the_same_as_json(navigation: Navigation) -> None:
    navigation.video(0).unlink()
    done = doctor(navigation, "--json", "--decode", "--workers", "3")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told == json.loads(json.dumps(look(navigation, decode=True).to_json() | {"unchanged": 0}))
    assert (told["coverage"], told["sets"][0]["coverage"]) == (11 / 12, 11 / 12)
    assert [video["layout"] for video in told["videos"]] == ["missing", *["file"] * 11]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_video_that_may_not_be_read_is_unreadable(navigation: Navigation) -> None:
    navigation.video(0).chmod(0)
    assert "unreadable" in look(navigation).videos[0].problems
