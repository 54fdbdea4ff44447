"""QAEgo4D: closed and open questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationFileError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
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


def test_a_folder_without_either_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="at least one is needed"):
        list(load_task("qaego4d").read(Annotations(tmp_path)))
