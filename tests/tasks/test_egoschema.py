"""EgoSchema: the questions with a public label."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationFileError, RecordError
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.tasks.official_files import egoschema, write


def test_a_labelled_question_is_about_its_whole_file(tmp_path: Path) -> None:
    records = list(load_task("egoschema").read(Annotations(write(tmp_path, egoschema()))))
    options = tuple(f"C does thing {number} of 0074f737." for number in range(5))
    assert records[0] == Record(
        id="0074f737",
        clip=Clip("0074f737.mp4", 0.0, None),
        question="What is C doing overall?",
        answer="C does thing 3 of 0074f737.",
        cluster="2fa72a4f",
        options=options,
        target=3,
    )
    assert [(record.id, record.target, record.cluster) for record in records[1:]] == [("00f93e1e", 0, "77aa11bb")]


def test_questions_without_a_public_label_are_counted_in_one_line(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, egoschema()))
    list(load_task("egoschema").read(annotations))
    assert annotations.dropped == [{"id": "1 of 3 questions", "reason": "no public label"}]
    assert sorted(annotations.sources) == ["questions.json", "subset_answers.json", "uid_to_ego4d.json"]


def test_a_labelled_question_without_a_source_video_is_refused(tmp_path: Path) -> None:
    files = egoschema()
    del files["uid_to_ego4d.json"]["0074f737"]
    with pytest.raises(RecordError, match=r"row 1, field 'q_uid': '0074f737' is not in uid_to_ego4d\.json"):
        list(load_task("egoschema").read(Annotations(write(tmp_path, files))))


def test_the_file_of_source_videos_is_asked_for(tmp_path: Path) -> None:
    files = egoschema()
    del files["uid_to_ego4d.json"]
    with pytest.raises(AnnotationFileError, match=r"no file uid_to_ego4d\.json"):
        list(load_task("egoschema").read(Annotations(write(tmp_path, files))))
