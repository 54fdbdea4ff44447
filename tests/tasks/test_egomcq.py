"""EgoMCQ turned round: one video, five texts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.errors import RecordError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.tasks.official_files import egomcq, write


def test_the_query_is_the_video_and_the_texts_are_the_options(tmp_path: Path) -> None:
    records = list(load_task("egomcq").read(Annotations(write(tmp_path, egomcq()))))
    assert records[0] == Record(
        id="0",
        clip=Clip("video-4.mp4", 40.0, 40.5),
        question="Which description accurately reflects the human behavior in the video?",
        answer="C does 4",
        cluster="video-4",
        subset="inter",
        options=("C does 0", "C does 1", "C does 2", "C does 3", "C does 4"),
        target=4,
        tags={"verb": ("93",), "noun": ("12", "115")},
    )


def test_types_two_is_intra_times_may_be_texts_and_choices_go_by_number(tmp_path: Path) -> None:
    record = list(load_task("egomcq").read(Annotations(write(tmp_path, egomcq()))))[1]
    assert (record.subset, record.target) == ("intra", 2)
    assert record.clip == Clip("video-9.mp4", 0.0, 0.75)  # starts at "-0.25"
    assert record.options == (
        "man X does 0",
        "man X does 1",
        "C picks a something from the floor",
        "man X does 3",
        "man X does 4",
    )


def test_the_version_of_the_cleaning_goes_to_the_manifest(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, egomcq()))
    list(load_task("egomcq").read(annotations))
    assert annotations.facts == {"cleaning": 1}


@pytest.mark.parametrize("tags", [math.nan, None, "nan", "", []])
def test_a_narration_may_have_no_tags(tmp_path: Path, tags: object) -> None:
    files = egomcq()
    files["egomcq.json"]["0"]["query"] |= {"tag_verb": tags, "tag_noun": "[12]"}
    record = next(iter(load_task("egomcq").read(Annotations(write(tmp_path, files)))))
    assert record.tags == {"verb": (), "noun": ("12",)}


def test_an_answer_and_a_type_may_be_texts(tmp_path: Path) -> None:
    files = egomcq()
    task = load_task("egomcq")
    expected = list(task.read(Annotations(write(tmp_path / "a", files))))
    for row in files["egomcq.json"].values():
        row |= {"answer": str(row["answer"]), "types": str(row["types"])}
    assert list(task.read(Annotations(write(tmp_path / "b", files)))) == expected


@pytest.mark.parametrize(("field", "value"), [("answer", "5"), ("answer", True), ("answer", "D"), ("types", 3)])
def test_an_answer_or_type_of_no_meaning_is_refused(tmp_path: Path, field: str, value: object) -> None:
    files = egomcq()
    files["egomcq.json"]["0"][field] = value
    with pytest.raises(RecordError, match=f"key '0', field '{field}'"):
        list(load_task("egomcq").read(Annotations(write(tmp_path, files))))


def test_a_query_that_is_not_its_answer_is_refused(tmp_path: Path) -> None:
    files = egomcq()
    files["egomcq.json"]["0"]["query"]["clip_text"] = "#C C does something else"
    with pytest.raises(RecordError, match=r"key '0', field 'query.clip_text': .* is not the text of choice 4"):
        list(load_task("egomcq").read(Annotations(write(tmp_path, files))))


def test_a_missing_choice_is_refused(tmp_path: Path) -> None:
    files = egomcq()
    del files["egomcq.json"]["0"]["choices"]["1"]
    with pytest.raises(RecordError, match=r"key '0', field 'choices': has the keys \[0, 2, 3, 4\]; expected 0 to 4"):
        list(load_task("egomcq").read(Annotations(write(tmp_path, files))))
