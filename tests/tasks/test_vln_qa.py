"""VLN-QA: two forms, and a path that names the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.plugins import load_task
from egobench.sample import Clip, Record
from tests.tasks.official_files import GO_LEFT, vln_qa, vln_qa_flat, write


def test_the_answer_is_found_to_the_letter(tmp_path: Path) -> None:
    records = list(load_task("vln-qa").read(Annotations(write(tmp_path, vln_qa()))))
    assert records[0] == Record(
        id="2763_frame73",
        clip=Clip("left/2763_frame73.mp4", 0.0, None),
        question=GO_LEFT,
        answer="Turn left and move forward",
        cluster="2763_frame73",
        options=("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward"),
        target=0,
    )
    # "Move forward" is part of options 0 and 3 too.
    assert (records[1].answer, records[1].target) == ("Move forward", 2)


@pytest.mark.parametrize("name", ["vlnqa.json", "egocentric_navigation.json"])
def test_the_flat_form_gives_the_same_records(tmp_path: Path, name: str) -> None:
    task = load_task("vln-qa")
    official = list(task.read(Annotations(write(tmp_path / "official", vln_qa()))))
    flat = list(task.read(Annotations(write(tmp_path / "flat", {name: vln_qa_flat()["vlnqa.json"]}))))
    assert flat == official


def test_only_the_clip_knows_the_folder_that_names_the_answer(tmp_path: Path) -> None:
    for record in load_task("vln-qa").read(Annotations(write(tmp_path, vln_qa()))):
        assert "/" not in repr(replace(record, clip=Clip("elsewhere.mp4"), question=""))


def test_an_instruction_may_have_line_breaks(tmp_path: Path) -> None:
    files = vln_qa_flat()
    files["vlnqa.json"][0]["text"] = files["vlnqa.json"][0]["text"].replace("Go left", "Go left\r\nand on")
    records = list(load_task("vln-qa").read(Annotations(write(tmp_path, files))))
    assert records[0].question == GO_LEFT.replace("Go left", "Go left\r\nand on")
    assert records[0].options[0] == "Turn left and move forward"
