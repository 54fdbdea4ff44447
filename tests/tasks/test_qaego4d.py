"""QAEgo4D: closed and open questions."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.errors import AnnotationFileError, RecordError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.conftest import NoEmbedder
from tests.tasks.official_files import qaego4d, write

CLOSED = "annotations.QaEgo4D_test_close.json"
OPEN = "annotations.QaEgo4D_test.json"


def test_both_files_give_a_subset_each_about_the_whole_clip(tmp_path: Path) -> None:
    records = list(load_task("qaego4d").read(Annotations(write(tmp_path, qaego4d()))))
    assert [(record.subset, record.id) for record in records] == [
        ("closed", "12345678_3"),
        ("closed", "12345678_4"),
        ("open", "12345678_3"),
        ("open", "12345678_4"),
    ]
    assert records[0] == Record(
        id="12345678_3",
        clip=Clip("abcdef00.mp4", 0.0, None),
        question="Where did I leave my keys?",
        answer="on the table",
        cluster="ego4d-a",
        subset="closed",
        options=("on the table", "in the drawer", "on the chair", "in my bag"),
        target=0,
        ordered=False,
    )
    assert records[3] == Record(
        id="12345678_4",
        clip=Clip("abcdef01.mp4", 0.0, None),
        question="How many cups were on the shelf?",
        answer="three",
        cluster="ego4d-a",
        subset="open",
    )


@pytest.mark.parametrize(("name", "subset"), [(CLOSED, "closed"), (OPEN, "open")])
def test_either_file_alone_is_enough(tmp_path: Path, name: str, subset: str) -> None:
    records = list(load_task("qaego4d").read(Annotations(write(tmp_path, {name: qaego4d()[name]}))))
    assert [record.subset for record in records] == [subset, subset]


def test_the_authors_own_file_has_the_clip_for_a_cluster_and_says_so(tmp_path: Path) -> None:
    """``annotations.test.json`` of the authors' tool has no ``video_uid``."""
    rows = [{key: value for key, value in row.items() if key != "video_uid"} for row in qaego4d()[OPEN]]
    annotations = Annotations(write(tmp_path, {"annotations.test.json": rows}))
    records = list(load_task("qaego4d").read(annotations))
    assert [(record.subset, record.cluster) for record in records] == [("open", "abcdef00"), ("open", "abcdef01")]
    assert annotations.facts == {"clips_as_clusters": 2}


CHOICES = [
    {
        "video_id": "abcdef00",
        "video_path": "data/qaego4d/videos/abcdef00.mp4",
        "duration": 480.0,
        "conversations": [
            {"question": "Where was my cup?", "choices": ["sink", "car", "floor", "bag"], "answer": "car"},
            {"question": "Where was my cup?", "choices": ["shelf", "bed", "box", "pot"], "answer": "pot"},
        ],
    },
    {
        "video_id": "abcdef01",
        "conversations": [{"question": "Who came?", "choices": ["Ann", "Bob", "Cy", "Di"], "answer": "Ann"}],
    },
]
"""The form that goes round as ``test_mc.json``: questions in a list under each clip, without ids."""


def test_the_form_with_choices_keeps_their_order(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, {"test_mc.json": CHOICES}))
    task = load_task("qaego4d")
    records = list(task.read(annotations))
    assert [(record.id, record.subset, record.cluster, record.target) for record in records] == [
        ("abcdef00_0", "closed", "abcdef00", 1),
        ("abcdef00_1", "closed", "abcdef00", 3),
        ("abcdef01_0", "closed", "abcdef01", 0),
    ]
    assert annotations.facts == {"clips_as_clusters": 3}
    samples = build(task, Annotations(tmp_path), NoEmbedder()).samples
    assert [(sample.video, sample.options) for sample in samples] == [
        ("abcdef00.mp4", ("sink", "car", "floor", "bag")),
        ("abcdef00.mp4", ("shelf", "bed", "box", "pot")),
        ("abcdef01.mp4", ("Ann", "Bob", "Cy", "Di")),
    ]


def test_a_choice_that_is_missing_is_named_by_clip_and_place(tmp_path: Path) -> None:
    rows = deepcopy(CHOICES)
    rows[0]["conversations"][1]["answer"] = "moon"  # type: ignore[index]
    with pytest.raises(
        RecordError, match=r"row 1, conversations\[1\], field 'answer': 'moon' is not among the options"
    ):
        list(load_task("qaego4d").read(Annotations(write(tmp_path, {"test_mc.json": rows}))))


def test_the_official_closed_file_goes_before_the_form_with_choices(tmp_path: Path) -> None:
    files = {**qaego4d(), "test_mc.json": CHOICES}
    records = list(load_task("qaego4d").read(Annotations(write(tmp_path, files))))
    assert [record.id for record in records if record.subset == "closed"] == ["12345678_3", "12345678_4"]


def test_a_folder_without_either_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"test_mc\.json.*at least one is needed"):
        list(load_task("qaego4d").read(Annotations(tmp_path)))
