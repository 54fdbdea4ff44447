"""What becomes of malformed annotations, for every task: an error that names file, row and field, or a noted drop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationFileError, RecordError
from egobench.plugins import load_task
from tests.tasks.official_files import OFFICIAL, Files, write

Break = Callable[[Files], None]

SCHEMA, LABELS, SOURCES = "questions.json", "subset_answers.json", "uid_to_ego4d.json"
CLOSED, OPEN = "annotations.QaEgo4D_test_close.json", "annotations.QaEgo4D_test.json"
DIRECT, INDIRECT = "direct/test_qas.json", "indirect/test_qas.json"
CHARADES = "CharadesEgo_v1_test_only1st.csv"
EPIC, CAPTIONS = "EPIC_100_retrieval_test.csv", "EPIC_100_retrieval_test_sentence.csv"
PLAN, RATES = "EgoPlan_validation.json", "EPIC_100_video_info.csv"
VLN, MCQ = "egocentric_navigation.json", "egomcq.json"


def put(value: object, *where: str | int) -> Break:
    """Overwrite one value."""

    def change(files: Files) -> None:
        place: Any = files
        for step in where[:-1]:
            place = place[step]
        place[where[-1]] = value

    return change


def cut(*where: str | int) -> Break:
    """Take one key away."""

    def change(files: Files) -> None:
        place: Any = files
        for step in where[:-1]:
            place = place[step]
        del place[where[-1]]

    return change


def twice(name: str, row: int) -> Break:
    """Append a copy of a row."""

    def change(files: Files) -> None:
        files[name].append(files[name][row])

    return change


class Bad(NamedTuple):
    """One malformed row.

    Attributes:
        task: The task's name.
        case: What is wrong.
        change: Makes it so.
        file: The file that the error must name.
        row: The row that the error must name.
        field: The field that the error must name; ``""`` where the row as a whole is at fault.
        lost: Number of records lost to it under ``skip_bad``.
    """

    task: str
    case: str
    change: Break
    file: str
    row: str
    field: str
    lost: int = 1


BAD = [
    Bad("egoschema", "missing key", cut(SCHEMA, 0, "option 3"), SCHEMA, "row 1", "option 3"),
    Bad("egoschema", "wrong type", put(7, SCHEMA, 0, "question"), SCHEMA, "row 1", "question"),
    Bad("egoschema", "blank text", put("  ", SCHEMA, 0, "option 0"), SCHEMA, "row 1", "option 0"),
    Bad("egoschema", "no such option", put(5, LABELS, "0074f737"), LABELS, "key '0074f737'", "answer"),
    Bad("egoschema", "letter for a number", put("D", LABELS, "0074f737"), LABELS, "key '0074f737'", "answer"),
    Bad("egoschema", "true for a number", put(True, LABELS, "0074f737"), LABELS, "key '0074f737'", "answer"),  # noqa: FBT003
    Bad("egoschema", "duplicate id", twice(SCHEMA, 0), SCHEMA, "row 4", "", 0),
    Bad(
        "egoschema",
        "NaN time",
        put(math.nan, SOURCES, "0074f737", "ending_sec"),
        SOURCES,
        "key '0074f737'",
        "ending_sec",
    ),
    Bad("egoschema", "end before start", put(9, SOURCES, "0074f737", "ending_sec"), SCHEMA, "row 1", "ending_sec"),
    Bad("qaego4d", "path upwards", put("../../etc/passwd", CLOSED, 0, "video_id"), CLOSED, "row 1", ""),
    Bad("qaego4d", "long name", put("v" * 252, OPEN, 1, "video_id"), OPEN, "row 2", ""),
    Bad("vln-qa", "absolute path", put("/etc/passwd", VLN, 0, "video"), VLN, "row 1", ""),
    Bad("epic-kitchens-mir", "path upwards", put("..", EPIC, 1, "participant_id"), EPIC, "line 3", ""),
    Bad("qaego4d", "missing key", cut(CLOSED, 1, "wrong_answers"), CLOSED, "row 2", "wrong_answers"),
    Bad("qaego4d", "two wrong answers", cut(CLOSED, 1, "wrong_answers", 0), CLOSED, "row 2", "wrong_answers"),
    Bad("qaego4d", "wrong type", put(["three"], OPEN, 1, "answer"), OPEN, "row 2", "answer"),
    Bad("qaego4d", "duplicate id", twice(OPEN, 0), OPEN, "row 3", "", 0),
    Bad("qaego4d", "NaN time", put(math.nan, OPEN, 1, "moment_end_frame"), OPEN, "row 2", "moment_end_frame"),
    Bad("qaego4d", "end before start", put(41, OPEN, 0, "moment_end_frame"), OPEN, "row 1", "moment_end_frame"),
    Bad("egotaskqa", "missing key", cut(DIRECT, 1, "sturctural"), DIRECT, "row 2", "structural"),
    Bad("egotaskqa", "wrong type", put(None, INDIRECT, 0, "answer"), INDIRECT, "row 1", "answer"),
    Bad("egotaskqa", "duplicate id", twice(DIRECT, 0), DIRECT, "row 3", "", 0),
    Bad("egotaskqa", "no interval", put("27k|P1|1", DIRECT, 0, "interval"), DIRECT, "row 1", "interval"),
    Bad("egotaskqa", "end before start", put("27k|P1|9|8", DIRECT, 0, "interval"), DIRECT, "row 1", "interval"),
    Bad("charades-ego", "blank id", put("", CHARADES, 0, "id"), CHARADES, "line 2", "id"),
    Bad("charades-ego", "wrong type", put("long", CHARADES, 0, "length"), CHARADES, "line 2", "length"),
    Bad("charades-ego", "no such class", put("c777 0.0 1.0", CHARADES, 0, "actions"), CHARADES, "line 2", "actions"),
    Bad("charades-ego", "duplicate id", twice(CHARADES, 0), CHARADES, "line 7", "", 0),
    Bad("charades-ego", "NaN time", put("c001 nan 1.0", CHARADES, 0, "actions"), CHARADES, "line 2", "actions"),
    Bad("charades-ego", "NaN length", put("nan", CHARADES, 0, "length"), CHARADES, "line 2", "length"),
    Bad("epic-kitchens-mir", "blank text", put("", EPIC, 1, "narration"), EPIC, "line 3", "narration"),
    Bad("epic-kitchens-mir", "wrong type", put("cut", EPIC, 1, "verb_class"), EPIC, "line 3", "verb_class"),
    Bad("epic-kitchens-mir", "no list", put("2;3", EPIC, 1, "all_noun_classes"), EPIC, "line 3", "all_noun_classes"),
    Bad("epic-kitchens-mir", "empty list", put("[]", EPIC, 1, "all_noun_classes"), EPIC, "line 3", "all_noun_classes"),
    Bad("epic-kitchens-mir", "duplicate id", twice(EPIC, 0), EPIC, "line 5", "", 0),
    Bad("epic-kitchens-mir", "duplicate caption", twice(CAPTIONS, 0), CAPTIONS, "line 5", "", 0),
    Bad("epic-kitchens-mir", "NaN time", put("nan", EPIC, 1, "start_timestamp"), EPIC, "line 3", "start_timestamp"),
    Bad(
        "epic-kitchens-mir",
        "end before start",
        put("00:01:01.55", EPIC, 1, "stop_timestamp"),
        EPIC,
        "line 3",
        "stop_timestamp",
    ),
    Bad("egoplan", "missing key", cut(PLAN, 1, "choice_c"), PLAN, "row 2", "choice_c"),
    Bad(
        "egoplan",
        "wrong type",
        put("soon", PLAN, 1, "current_observation_frame"),
        PLAN,
        "row 2",
        "current_observation_frame",
    ),
    Bad("egoplan", "no such letter", put("E", PLAN, 1, "golden_choice_idx"), PLAN, "row 2", "golden_choice_idx"),
    Bad("egoplan", "another answer", put("open cupboard", PLAN, 1, "answer"), PLAN, "row 2", "answer"),
    Bad("egoplan", "unknown source", put("LEMMA", PLAN, 1, "video_source"), PLAN, "row 2", "video_source"),
    Bad("egoplan", "duplicate id", twice(PLAN, 0), PLAN, "row 4", "", 0),
    Bad(
        "egoplan",
        "NaN time",
        put(math.nan, PLAN, 1, "task_progress_metadata", 0, "start_frame"),
        PLAN,
        "row 2",
        "task_progress_metadata.0.start_frame",
    ),
    Bad(
        "egoplan",
        "end before start",
        put(299, PLAN, 1, "current_observation_frame"),
        PLAN,
        "row 2",
        "current_observation_frame",
    ),
    Bad("egoplan", "NaN frame rate", put("nan", RATES, 1, "fps"), RATES, "line 3", "fps", 0),
    Bad("vln-qa", "missing key", cut(VLN, 1, "question"), VLN, "row 2", "question"),
    Bad("vln-qa", "wrong type", put("Stop", VLN, 1, "candidates"), VLN, "row 2", "candidates"),
    Bad("vln-qa", "answer not among options", put("move forward", VLN, 1, "answer"), VLN, "row 2", "answer"),
    Bad("vln-qa", "duplicate id", put("right/2763_frame73.mp4", VLN, 1, "video"), VLN, "row 2", ""),
    Bad("egomcq", "missing key", cut(MCQ, "1", "query", "clip_text"), MCQ, "key '1'", "query.clip_text"),
    Bad("egomcq", "wrong type", put("two", MCQ, "1", "types"), MCQ, "key '1'", "types"),
    Bad("egomcq", "no such option", put(5, MCQ, "1", "answer"), MCQ, "key '1'", "answer"),
    Bad("egomcq", "another answer", put(3, MCQ, "1", "answer"), MCQ, "key '1'", "query.clip_text"),
    Bad("egomcq", "NaN time", put("NaN", MCQ, "1", "query", "clip_end"), MCQ, "key '1'", "query.clip_end"),
    Bad("egomcq", "end before start", put(-1, MCQ, "1", "query", "clip_end"), MCQ, "key '1'", "query.clip_end"),
]

MAIN = {
    "egoschema": SCHEMA,
    "qaego4d": CLOSED,
    "egotaskqa": DIRECT,
    "charades-ego": CHARADES,
    "epic-kitchens-mir": EPIC,
    "egoplan": PLAN,
    "vln-qa": VLN,
    "egomcq": MCQ,
}
"""The file of questions, by task."""


@pytest.mark.parametrize("bad", BAD, ids=[f"{bad.task}: {bad.case}" for bad in BAD])
def test_a_malformed_row_is_named_by_file_row_and_field(tmp_path: Path, bad: Bad) -> None:
    files = OFFICIAL[bad.task]()
    bad.change(files)
    with pytest.raises(RecordError) as caught:
        list(load_task(bad.task).read(Annotations(write(tmp_path, files))))
    assert (caught.value.file, caught.value.row, caught.value.field) == (tmp_path / bad.file, bad.row, bad.field)


@pytest.mark.parametrize("bad", BAD, ids=[f"{bad.task}: {bad.case}" for bad in BAD])
def test_a_malformed_row_is_noted_and_the_rest_goes_on_when_bad_rows_are_skipped(tmp_path: Path, bad: Bad) -> None:
    task, files = load_task(bad.task), OFFICIAL[bad.task]()
    whole = list(task.read(Annotations(write(tmp_path / "whole", files))))
    bad.change(files)
    annotations = Annotations(write(tmp_path / "broken", files), skip_bad=True)
    rest = list(task.read(annotations))
    assert len(rest) == len(whole) - bad.lost
    assert [record for record in whole if record in rest] == rest
    named = [drop for drop in annotations.dropped if drop["id"] == f"{bad.file}, {bad.row}"]
    assert len(named) == 1
    assert bad.field in named[0]["reason"]
    assert str(tmp_path) not in named[0]["reason"]


@pytest.mark.parametrize("task", MAIN)
def test_another_encoding_is_named_by_file(tmp_path: Path, task: str) -> None:
    path = write(tmp_path, OFFICIAL[task]()) / MAIN[task]
    path.write_bytes(path.read_bytes() + "café".encode("latin-1"))
    with pytest.raises(AnnotationFileError, match=f"{path.name}: not UTF-8 at byte"):
        list(load_task(task).read(Annotations(tmp_path)))


@pytest.mark.parametrize("task", MAIN)
def test_a_missing_or_empty_file_is_named(tmp_path: Path, task: str) -> None:
    path = write(tmp_path, OFFICIAL[task]()) / MAIN[task]
    path.write_text(" \n")
    with pytest.raises(AnnotationFileError, match=f"{path.name}: the file is empty"):
        list(load_task(task).read(Annotations(tmp_path)))
    for other in OFFICIAL[task]():
        (tmp_path / other).unlink()
    with pytest.raises(AnnotationFileError, match=str(tmp_path)):
        list(load_task(task).read(Annotations(tmp_path)))


@pytest.mark.parametrize("task", [task for task, name in MAIN.items() if name.endswith(".json")])
def test_truncated_json_is_named_by_file_and_line(tmp_path: Path, task: str) -> None:
    path = write(tmp_path, OFFICIAL[task]()) / MAIN[task]
    path.write_text(path.read_text()[:-30])
    with pytest.raises(AnnotationFileError, match=rf"{path.name}, line 1, column \d+: not JSON .* truncated"):
        list(load_task(task).read(Annotations(tmp_path)))


@pytest.mark.parametrize("task", [task for task, name in MAIN.items() if name.endswith(".csv")])
def test_a_csv_row_with_shifted_columns_is_named_or_noted(tmp_path: Path, task: str) -> None:
    path = write(tmp_path, OFFICIAL[task]()) / MAIN[task]
    whole = list(load_task(task).read(Annotations(tmp_path)))
    lines = path.read_text().splitlines()
    lines[1] = "stray," + lines[1]
    path.write_text("\n".join(lines))
    with pytest.raises(RecordError, match="columns are shifted") as caught:
        list(load_task(task).read(Annotations(tmp_path)))
    assert (caught.value.file, caught.value.row) == (path, "line 2")
    annotations = Annotations(tmp_path, skip_bad=True)
    assert list(load_task(task).read(annotations)) == whole[1:]
    assert annotations.dropped[0]["id"] == f"{path.name}, line 2"


@pytest.mark.parametrize("task", [task for task, name in MAIN.items() if name.endswith(".csv")])
def test_a_csv_row_shifted_within_the_header_is_named_by_field(tmp_path: Path, task: str) -> None:
    path = write(tmp_path, OFFICIAL[task]()) / MAIN[task]
    lines = path.read_text().splitlines()
    cells = lines[1].rpartition(",")[0]
    lines[1] = "stray," + cells
    path.write_text("\n".join(lines))
    with pytest.raises(RecordError) as caught:
        list(load_task(task).read(Annotations(tmp_path)))
    assert caught.value.row == "line 2"
    assert caught.value.field


def test_a_repeated_number_of_egomcq_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, OFFICIAL["egomcq"]()) / MCQ
    path.write_text(path.read_text().replace('"1": {"answer": 2', '"0": {"answer": 2'))
    with pytest.raises(RecordError, match="key '0': comes twice in the file"):
        list(load_task("egomcq").read(Annotations(tmp_path)))
    annotations = Annotations(tmp_path, skip_bad=True)
    assert [record.target for record in load_task("egomcq").read(annotations)] == [4]
    assert annotations.dropped == [{"id": "egomcq.json, key '0'", "reason": "comes twice in the file; expected once"}]
