"""EgoTaskQA: two splits, two forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.errors import AnnotationFileError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.conftest import NoEmbedder
from tests.tasks.official_files import egotaskqa, egotaskqa_flat, write


def test_the_released_folders_are_the_subsets(tmp_path: Path) -> None:
    records = list(load_task("egotaskqa").read(Annotations(write(tmp_path, egotaskqa()))))
    assert [(record.subset, record.id) for record in records] == [
        ("direct", "17"),
        ("direct", "18"),
        ("indirect", "17"),
        ("indirect", "40"),
    ]
    assert records[0] == Record(
        id="17",
        clip=Clip("qa_videos/27k-22-11-2|P1|4546|4986.mp4", 0.0, None),
        question="What is the status of fork after the person put something to something to change it?",
        answer="on top of plate",
        cluster="27k-22-11-2",
        subset="direct",
        tags={
            "reasoning_type": ("descriptive", "world", "state", "query", "direct"),
            "semantic": "state",
            "structural": "query",
        },
    )


def test_the_misspelt_key_is_read(tmp_path: Path) -> None:
    records = list(load_task("egotaskqa").read(Annotations(write(tmp_path, egotaskqa()))))
    assert records[1].tags["structural"] == "verify"


def test_reasoning_types_may_be_a_list(tmp_path: Path) -> None:
    files = egotaskqa()
    files["direct/test_qas.json"][0]["reasoning_type"] = ["predictive", "intent"]
    records = list(load_task("egotaskqa").read(Annotations(write(tmp_path, files))))
    assert records[0].tags["reasoning_type"] == ("predictive", "intent")


@pytest.mark.parametrize("subset", ["direct", "indirect"])
def test_either_split_alone_is_enough(tmp_path: Path, subset: str) -> None:
    name = f"{subset}/test_qas.json"
    records = list(load_task("egotaskqa").read(Annotations(write(tmp_path, {name: egotaskqa()[name]}))))
    assert {record.subset for record in records} == {subset}


def test_a_folder_without_either_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="at least one is needed"):
        list(load_task("egotaskqa").read(Annotations(tmp_path)))


@pytest.mark.parametrize(
    ("name", "subset"),
    [("egotaskqa.json", "direct"), ("direct/test_qas.json", "direct"), ("indirect/test_qas.json", "indirect")],
)
def test_the_flat_form_keeps_its_own_options(tmp_path: Path, name: str, subset: str) -> None:
    files = {name: egotaskqa_flat()["egotaskqa.json"]}
    records = list(load_task("egotaskqa").read(Annotations(write(tmp_path, files))))
    assert records[1] == Record(
        id=records[1].id,
        clip=Clip("qa_videos/28k-12-10-3|P2|5824|6213.mp4", 0.0, None),
        question="Did the drawer change?",
        answer="yes",
        cluster="28k-12-10-3",
        subset=subset,
        options=("poweredness", "edible", "no", "yes", "Close sink"),
        target=3,
    )
    assert [record.target for record in records] == [1, 3]


def test_the_flat_form_keeps_the_order_of_its_options(tmp_path: Path) -> None:
    flat = egotaskqa_flat()
    samples = build(load_task("egotaskqa"), Annotations(write(tmp_path, flat)), NoEmbedder()).samples
    assert [sample.options for sample in samples] == [tuple(row["option"].values()) for row in flat["egotaskqa.json"]]
    assert ["ABCDE"[sample.target or 0] for sample in samples] == [row["a"] for row in flat["egotaskqa.json"]]


def test_ids_of_the_flat_form_follow_video_and_question_not_the_order(tmp_path: Path) -> None:
    files = egotaskqa_flat()
    task = load_task("egotaskqa")
    ids = [record.id for record in task.read(Annotations(write(tmp_path, files)))]
    files["egotaskqa.json"].reverse()
    assert [record.id for record in task.read(Annotations(write(tmp_path, files)))] == ids[::-1]
    assert len({len(name) for name in ids} | {16}) == 1
