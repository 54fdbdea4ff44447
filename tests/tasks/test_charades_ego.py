"""Charades-Ego: the longest action of each video."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationFileError, RecordError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.tasks.official_files import charades_ego, write

VIDEOS = "CharadesEgo_v1_test_only1st.csv"
CLASSES = "Charades_v1_classes.txt"


def test_the_longest_segment_of_each_video_is_asked_about(tmp_path: Path) -> None:
    records = list(load_task("charades-ego").read(Annotations(write(tmp_path, charades_ego()))))
    # 5C4I9EGO: c005 lasts 9.5 s, c001 20 to 40 is clamped to 28 and lasts 8 s, c003 lasts 9.75 s.
    # AAAAAEGO: three segments of 3 s; c002 is the first class by id, and comes first at 5 s.
    # DDDDDEGO: no length in the file, so nothing is clamped.
    assert [(record.id, record.clip, record.answer) for record in records] == [
        ("5C4I9EGO", Clip("5C4I9EGO.mp4", 2.5, 12.25), "Throwing clothes somewhere"),
        ("AAAAAEGO", Clip("AAAAAEGO.mp4", 5.0, 8.0), "Taking some clothes"),
        ("DDDDDEGO", Clip("DDDDDEGO.mp4", 3.0, 8.5), "Lying on a bed"),
    ]
    assert records[0] == Record(
        id="5C4I9EGO",
        clip=Clip("5C4I9EGO.mp4", 2.5, 12.25),
        question="What action am I currently performing?",
        answer="Throwing clothes somewhere",
        cluster="5C4I9EGO",
        tags={
            "class": "c003",
            "actions": ("Putting clothes somewhere", "Throwing clothes somewhere", "Tidying some clothes"),
        },
    )


def test_lengths_of_the_annotation_are_kept_for_the_doctor(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, charades_ego()))
    list(load_task("charades-ego").read(annotations))
    assert annotations.videos["5C4I9EGO.mp4"] == {"seconds": 28.0}
    assert "DDDDDEGO.mp4" not in annotations.videos


def test_videos_without_a_segment_are_dropped_by_name(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, charades_ego()))
    list(load_task("charades-ego").read(annotations))
    assert annotations.dropped == [
        {"id": "BBBBBEGO", "reason": "no action"},
        {"id": "CCCCCEGO", "reason": "no action with a length"},
    ]


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    files = charades_ego()
    turned = [dict(reversed(row.items())) for row in files[VIDEOS]]
    task = load_task("charades-ego")
    expected = list(task.read(Annotations(write(tmp_path / "a", files))))
    assert list(task.read(Annotations(write(tmp_path / "b", {**files, VIDEOS: turned})))) == expected


@pytest.mark.parametrize(
    ("line", "problem"), [("Tidying", "is no class"), ("c000 Tidying", "c000 was named already"), ("", "is no class")]
)
def test_a_broken_class_list_is_refused_even_when_bad_rows_are_skipped(tmp_path: Path, line: str, problem: str) -> None:
    files = charades_ego()
    files[CLASSES] = files[CLASSES].replace("c006 Doing thing 6", line)
    with pytest.raises(RecordError, match=problem) as caught:
        list(load_task("charades-ego").read(Annotations(write(tmp_path, files), skip_bad=True)))
    assert (caught.value.file.name, caught.value.row) == (CLASSES, "line 7")


@pytest.mark.parametrize(
    ("cut", "more", "problem"),
    [
        ("thing", "", "ends in 'Someone is eating some', expected 'Someone is eating something'"),
        ("\nc156 Someone is eating something", "", "holds 156 classes, expected 157; c156 is missing"),
        ("g 155\nc156 Someone is eating something", "", "holds 156 classes, expected 157; c156 is missing"),
        ("", "\nc157 Doing thing 157", "holds 158 classes, expected 157; was it cut off"),
    ],
)
def test_a_class_list_of_other_than_157_is_refused(tmp_path: Path, cut: str, more: str, problem: str) -> None:
    files = charades_ego()
    assert files[CLASSES].endswith(cut)
    files[CLASSES] = files[CLASSES].removesuffix(cut) + more
    annotations = Annotations(write(tmp_path, files))
    with pytest.raises(AnnotationFileError, match=problem):
        list(load_task("charades-ego").read(annotations))


@pytest.mark.parametrize(
    "actions", ["c999 0.0 1.0", "c001 0.0", "c001 zero 1.0", "c001 nan 1.0", "c001 -1.0 1.0", "c001 0.0 1.0 2.0"]
)
def test_an_action_that_is_none_is_refused(tmp_path: Path, actions: str) -> None:
    files = charades_ego()
    files[VIDEOS][1]["actions"] = f"c001 0.0 1.0;{actions}"
    with pytest.raises(RecordError) as caught:
        list(load_task("charades-ego").read(Annotations(write(tmp_path, files))))
    assert (caught.value.row, caught.value.field) == ("line 3", "actions")
