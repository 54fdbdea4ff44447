"""Reading annotation files: which rows there are, and how a mistake is named."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from egobench.annotations import Annotations, FieldError, Row
from egobench.errors import AnnotationFileError, RecordError
from egobench.sample import Clip, Record


class Spoken(Row):
    """A row of these tests."""

    id: str
    seconds: float


def record(row: Spoken) -> Record:
    if row.seconds > 60:
        raise FieldError("seconds", "longer than a minute")
    return Record(id=row.id, clip=Clip("a.mp4", 0.0, row.seconds), question="?", answer="!", cluster="a")


def folder(path: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        target = path / name.replace("_", ".")
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_first_file_that_is_there_is_read_and_hashed(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, b_json='[{"id": 1}]'))
    assert annotations.json_rows("a.json", "b.json") == (tmp_path / "b.json", [("row 1", {"id": 1})])
    assert annotations.sources == {"b.json": sha256(b'[{"id": 1}]').hexdigest()}
    assert (annotations.has("a.json"), annotations.has("a.json", "b.json")) == (False, True)


def test_a_folder_without_the_file_names_every_name_it_may_have(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"no file a\.json or b\.json"):
        Annotations(tmp_path).json_rows("a.json", "b.json")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_csv=b"\xef\xbb\xbfid,x\n1,2\n"))
    assert annotations.csv_rows("a.csv", columns=["id"])[1] == [("line 2", {"id": "1", "x": "2"})]


def test_rows_of_an_object_are_given_their_key(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_json='{"7": {"x": 1}, "8": {"x": 2}}', b_json='{"u": 3}'))
    assert annotations.json_rows("a.json", key="number")[1] == [
        ("key '7'", {"x": 1, "number": "7"}),
        ("key '8'", {"x": 2, "number": "8"}),
    ]
    assert annotations.json_rows("b.json", key="uid", value="label")[1] == [("key 'u'", {"uid": "u", "label": 3})]


@pytest.mark.parametrize(
    ("content", "key", "problem"),
    [
        ("3", "", "expected a list of rows, found 3"),
        ('{"a": {}}', "", "expected a list of rows"),
        ("[{}]", "id", "expected an object with a row under each key"),
        ("[]", "", "holds no usable row"),
        ("{}", "id", "holds no usable row"),
        ("[3]", "", "holds no usable row"),
        ('[{"a": 1},\n{"a"', "", r"line 2, column 5: not JSON"),
        ("NULL", "", "not JSON"),
    ],
)
def test_a_json_file_of_another_shape_is_refused(tmp_path: Path, content: str, key: str, problem: str) -> None:
    with pytest.raises(AnnotationFileError, match=problem):
        Annotations(folder(tmp_path, a_json=content), skip_bad=True).json_rows("a.json", key=key)


def test_rows_that_are_no_objects_or_hold_a_key_twice_are_named(tmp_path: Path) -> None:
    files = folder(tmp_path, a_json='[{"a": 1}, 5, {"b": 2, "b": 3}]')
    with pytest.raises(RecordError, match=r"a\.json, row 2: expected an object, found 5"):
        Annotations(files).json_rows("a.json")
    annotations = Annotations(files, skip_bad=True)
    assert annotations.json_rows("a.json")[1] == [("row 1", {"a": 1})]
    assert annotations.dropped == [
        {"id": "a.json, row 2", "reason": "expected an object, found 5"},
        {"id": "a.json, row 3", "reason": "field 'b': comes twice in the row; expected once"},
    ]


def test_of_a_key_that_comes_twice_the_first_row_stays(tmp_path: Path) -> None:
    files = folder(tmp_path, a_json='{"k": {"x": 1}, "k": {"x": 2}}')
    with pytest.raises(RecordError, match="key 'k': comes twice in the file"):
        Annotations(files).json_rows("a.json", key="id")
    assert Annotations(files, skip_bad=True).json_rows("a.json", key="id")[1] == [("key 'k'", {"x": 1, "id": "k"})]


def test_csv_rows_are_named_by_their_first_line(tmp_path: Path) -> None:
    text = 'id,text\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n2,short\r\n'
    rows = Annotations(folder(tmp_path, a_csv=text)).csv_rows("a.csv", columns=["text", "id"])[1]
    assert rows == [
        ("line 2", {"id": "1", "text": 'two\r\nlines, "quoted"'}),
        ("line 5", {"id": "2", "text": "short"}),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id,x\n1,2\n", r"no column 'y'; it has \['id', 'x'\]"),
        ("id,y,y\n1,2,3\n", "column 'y' twice"),
        ("id,y\n", "no usable row below its header"),
        ('id,y\n1,2\n2,"open\n3,4\n', r"line 3: not CSV \(unexpected end of data\); is the file truncated"),
    ],
)
def test_a_csv_file_without_its_columns_or_its_end_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(AnnotationFileError, match=problem):
        Annotations(folder(tmp_path, a_csv=content), skip_bad=True).csv_rows("a.csv", columns=["id", "y"])


def test_a_stray_quote_costs_one_row(tmp_path: Path) -> None:
    files = folder(tmp_path, a_csv='id,y\n1,"two"2\n3,4\n')
    with pytest.raises(RecordError, match=r"a\.csv, line 2: not CSV"):
        Annotations(files).csv_rows("a.csv", columns=["id"])
    annotations = Annotations(files, skip_bad=True)
    assert annotations.csv_rows("a.csv", columns=["id"])[1] == [("line 3", {"id": "3", "y": "4"})]
    assert [drop["id"] for drop in annotations.dropped] == ["a.csv, line 2"]


def test_a_missing_field_is_told_with_the_fields_there_are(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path)
    with pytest.raises(RecordError, match=r"row 1, field 'seconds': Field required; the row has id, length"):
        list(annotations.records(tmp_path / "a.json", [("row 1", {"id": "x", "length": 3})], Spoken, record))


def test_a_value_of_another_type_is_told_with_the_value(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path)
    with pytest.raises(RecordError, match=r"row 1, field 'seconds': .*; found 'soon'"):
        list(annotations.records(tmp_path / "a.json", [("row 1", {"id": "x", "seconds": "soon"})], Spoken, record))


def test_what_a_reader_finds_wrong_is_named_by_its_field(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path)
    with pytest.raises(RecordError, match="row 1, field 'seconds': longer than a minute"):
        list(annotations.records(tmp_path / "a.json", [("row 1", {"id": "x", "seconds": 61})], Spoken, record))


def test_a_clip_that_no_video_can_have_is_named_by_its_row(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path)
    with pytest.raises(RecordError, match="row 1: the clip ends at -1"):
        list(annotations.records(tmp_path / "a.json", [("row 1", {"id": "x", "seconds": -1})], Spoken, record))


def test_an_id_may_come_once_in_all_files_of_a_subset(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path, skip_bad=True)
    rows = [("row 1", {"id": "x", "seconds": 1})]
    assert len(list(annotations.records(tmp_path / "a.json", rows, Spoken, record))) == 1
    assert len(list(annotations.records(tmp_path / "b.json", rows, Spoken, record))) == 0
    assert annotations.dropped == [{"id": "b.json, row 1", "reason": "its id 'x' was taken already by a.json, row 1"}]


def test_a_row_that_is_rightly_no_sample_is_passed_over(tmp_path: Path) -> None:
    annotations = Annotations(tmp_path)
    rows = [("row 1", {"id": "x", "seconds": 1})]
    assert list(annotations.records(tmp_path / "a.json", rows, Spoken, lambda _: None)) == []
    assert annotations.dropped == []


def test_a_table_holds_the_first_of_two_rows_of_a_key(tmp_path: Path) -> None:
    rows = [("row 1", {"id": "x", "seconds": 1}), ("row 2", {"id": "x", "seconds": 2})]
    with pytest.raises(RecordError, match="row 2: 'x' has an entry already"):
        Annotations(tmp_path).table(tmp_path / "a.json", rows, Spoken, lambda row: row.id)
    annotations = Annotations(tmp_path, skip_bad=True)
    table = annotations.table(tmp_path / "a.json", rows, Spoken, lambda row: row.id)
    assert {key: row.seconds for key, row in table.items()} == {"x": 1.0}
    assert len(annotations.dropped) == 1
