"""Reading annotation files: which rows there are, and how a mistake is named."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict

from egobench.annotations import Annotations, CsvFile, FieldError, JsonFile, Row
from egobench.errors import AnnotationFileError, RecordError
from egobench.sample import Clip, Record


class Spoken(Row):
    """A row of these tests."""

    id: str
    seconds: float


class Numbered(Row):
    """A row whose text is a number."""

    id: str
    text: int


class Lettered(Spoken):
    """A row of columns ``id`` and ``y``."""

    y: str
    seconds: float = 0.0


class Anything(Row):
    """A row with whatever fields it has."""

    model_config = ConfigDict(extra="allow")


def rows(annotations: Annotations, file: JsonFile | CsvFile) -> list[dict[str, Any]]:
    """The fields of every row of a file."""
    fields: list[dict[str, Any]] = []

    def keep(row: Anything) -> None:
        fields.append(row.model_extra or {})

    assert list(annotations.records(file, Anything, keep)) == []
    return fields


def spoken(path: Path, **fields: object) -> Annotations:
    """A folder whose ``a.json`` holds one row."""
    return Annotations(folder(path, a_json=json.dumps([fields])))


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
    assert rows(annotations, JsonFile("a.json", other_names=("b.json",))) == [{"id": 1}]
    assert annotations.sources == {"b.json": sha256(b'[{"id": 1}]').hexdigest()}
    assert not annotations.has(JsonFile("a.json"))
    assert annotations.has(JsonFile("a.json", other_names=("b.json",)))


def test_a_folder_without_the_file_names_every_name_it_may_have(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"no file a\.json or b\.json"):
        rows(Annotations(tmp_path), JsonFile("a.json", other_names=("b.json",)))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_csv=b"\xef\xbb\xbfid,x\n1,2\n"))
    assert rows(annotations, CsvFile("a.csv")) == [{"id": "1", "x": "2"}]


def test_rows_of_an_object_are_given_their_key(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_json='{"7": {"x": 1}, "8": {"x": 2}}', b_json='{"u": 3}'))
    assert rows(annotations, JsonFile("a.json", key="number")) == [{"x": 1, "number": "7"}, {"x": 2, "number": "8"}]
    assert rows(annotations, JsonFile("b.json", key="uid", value="label")) == [{"uid": "u", "label": 3}]


def test_nested_rows_have_the_fields_around_them_and_their_place(tmp_path: Path) -> None:
    clips = [{"video": "v", "qs": [{"q": "a"}, {"q": "b"}]}, {"video": "w", "qs": [{"q": "c"}]}]
    annotations = Annotations(folder(tmp_path, a_json=json.dumps(clips)))
    assert rows(annotations, JsonFile("a.json", key="place", nested="qs")) == [
        {"video": "v", "q": "a", "place": "0"},
        {"video": "v", "q": "b", "place": "1"},
        {"video": "w", "q": "c", "place": "0"},
    ]


@pytest.mark.parametrize(
    ("clips", "problem"),
    [
        ([{"qs": 3}], r"row 1, field 'qs': expected an object with a list of rows"),
        ([{"qs": []}, 5], r"row 2, field 'qs': expected an object with a list of rows, found 5"),
        ([{"qs": [{}, 7]}], r"row 1, qs\[1\]: expected an object, found 7"),
    ],
)
def test_a_nested_row_of_another_shape_is_named(tmp_path: Path, clips: object, problem: str) -> None:
    annotations = Annotations(folder(tmp_path, a_json=json.dumps(clips)))
    with pytest.raises(RecordError, match=problem):
        rows(annotations, JsonFile("a.json", key="place", nested="qs"))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"id": "x", "seconds": 1' + "0" * 400 + "}", "row 2, field 'seconds': a whole number of about 400 digits"),
        ('{"id": "x", "more": ' + "[" * 120 + "]" * 120 + "}", r"row 2, field 'more.*': nested deeper than 100"),
        (r'{"id": "\ud800", "seconds": 1}', "row 2, field 'id': the text .* holds half a character"),
        ('{"id": "x", "seconds": NaN}', "row 2, field 'seconds': Input should be a finite number; found nan"),
        ('{"id": "x", "seconds": 1e999}', "row 2, field 'seconds': Input should be a finite number; found inf"),
        ('{"id": "x", "seconds": 1, "more": {"b": 1, "b": 2}}', "row 2, field 'more': the key 'b' comes twice"),
    ],
)
def test_what_no_json_should_hold_costs_its_row_alone(tmp_path: Path, row: str, problem: str) -> None:
    files = folder(tmp_path, a_json=f'[{{"id": "y", "seconds": 2}}, {row}]')
    with pytest.raises(RecordError, match=problem):
        list(Annotations(files).records(JsonFile("a.json"), Spoken, record))
    annotations = Annotations(files, skip_bad=True)
    assert [one.id for one in annotations.records(JsonFile("a.json"), Spoken, record)] == ["y"]


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"id": ' + "1" * 5000 + "}]"])
def test_json_that_cannot_be_parsed_at_all_is_named_by_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(AnnotationFileError, match=r"a\.json.*(nested deeper than 100|too many digits)"):
        rows(Annotations(folder(tmp_path, a_json=text), skip_bad=True), JsonFile("a.json"))


def test_a_field_that_nobody_reads_may_be_no_number(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_json='[{"id": "y", "seconds": 2, "tag": NaN}]'))
    assert len(list(annotations.records(JsonFile("a.json"), Spoken, record))) == 1


def test_forms_of_a_file_are_told_apart_by_its_first_row_and_faults_are_noted_once(tmp_path: Path) -> None:
    annotations = Annotations(folder(tmp_path, a_json='[{"id": "y", "seconds": 2}, 5]'), skip_bad=True)
    assert annotations.fields(JsonFile("a.json")) == {"id", "seconds"}
    assert len(list(annotations.records(JsonFile("a.json"), Spoken, record))) == 1
    assert len(annotations.dropped) == 1


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
        rows(Annotations(folder(tmp_path, a_json=content), skip_bad=True), JsonFile("a.json", key=key))


def test_rows_that_are_no_objects_or_hold_a_key_twice_are_named(tmp_path: Path) -> None:
    files = folder(tmp_path, a_json='[{"a": 1}, 5, {"b": 2, "b": 3}]')
    with pytest.raises(RecordError, match=r"a\.json, row 2: expected an object, found 5"):
        rows(Annotations(files), JsonFile("a.json"))
    annotations = Annotations(files, skip_bad=True)
    assert rows(annotations, JsonFile("a.json")) == [{"a": 1}]
    assert annotations.dropped == [
        {"id": "a.json, row 2", "reason": "expected an object, found 5"},
        {"id": "a.json, row 3", "reason": "the key 'b' comes twice"},
    ]


def test_of_a_key_that_comes_twice_the_first_row_stays(tmp_path: Path) -> None:
    files = folder(tmp_path, a_json='{"k": {"x": 1}, "k": {"x": 2}}')
    with pytest.raises(RecordError, match="key 'k': comes twice in the file"):
        rows(Annotations(files), JsonFile("a.json", key="id"))
    assert rows(Annotations(files, skip_bad=True), JsonFile("a.json", key="id")) == [{"x": 1, "id": "k"}]


def test_csv_rows_are_named_by_their_first_line(tmp_path: Path) -> None:
    text = 'id,text\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n2,short\r\n'
    annotations = Annotations(folder(tmp_path, a_csv=text), skip_bad=True)
    assert rows(annotations, CsvFile("a.csv")) == [
        {"id": "1", "text": 'two\r\nlines, "quoted"'},
        {"id": "2", "text": "short"},
    ]
    assert list(annotations.records(CsvFile("a.csv"), Numbered, lambda _: None)) == []
    assert [entry["id"] for entry in annotations.dropped] == ["a.csv, line 2", "a.csv, line 5"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id,x\n1,2\n", r"no column 'y'; it has \['id', 'x'\]"),
        ("id,y,y\n1,2,3\n", "column 'y' twice"),
        ("id,y\n", "holds no usable row"),
        ('id,y\n1,2\n2,"open\n3,4\n', r"line 3: not CSV \(unexpected end of data\); is the file truncated"),
    ],
)
def test_a_csv_file_without_its_columns_or_its_end_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(AnnotationFileError, match=problem):
        list(Annotations(folder(tmp_path, a_csv=content), skip_bad=True).records(CsvFile("a.csv"), Lettered, record))


def test_a_stray_quote_costs_one_row(tmp_path: Path) -> None:
    files = folder(tmp_path, a_csv='id,y\n1,"two"2\n3,4\n')
    with pytest.raises(RecordError, match=r"a\.csv, line 2: not CSV"):
        rows(Annotations(files), CsvFile("a.csv"))
    annotations = Annotations(files, skip_bad=True)
    assert rows(annotations, CsvFile("a.csv")) == [{"id": "3", "y": "4"}]
    assert [drop["id"] for drop in annotations.dropped] == ["a.csv, line 2"]


def test_a_missing_field_is_told_with_the_fields_there_are(tmp_path: Path) -> None:
    annotations = spoken(tmp_path, id="x", length=3)
    with pytest.raises(RecordError, match=r"row 1, field 'seconds': Field required; the row has id, length"):
        list(annotations.records(JsonFile("a.json"), Spoken, record))


def test_a_value_of_another_type_is_told_with_the_value(tmp_path: Path) -> None:
    annotations = spoken(tmp_path, id="x", seconds="soon")
    with pytest.raises(RecordError, match=r"row 1, field 'seconds': .*; found 'soon'"):
        list(annotations.records(JsonFile("a.json"), Spoken, record))


def test_what_a_reader_finds_wrong_is_named_by_its_field(tmp_path: Path) -> None:
    annotations = spoken(tmp_path, id="x", seconds=61)
    with pytest.raises(RecordError, match="row 1, field 'seconds': longer than a minute"):
        list(annotations.records(JsonFile("a.json"), Spoken, record))


def test_a_clip_that_no_video_can_have_is_named_by_its_row(tmp_path: Path) -> None:
    annotations = spoken(tmp_path, id="x", seconds=-1)
    with pytest.raises(RecordError, match="row 1: the clip ends at -1"):
        list(annotations.records(JsonFile("a.json"), Spoken, record))


def test_an_id_may_come_once_in_all_files_of_a_subset(tmp_path: Path) -> None:
    row = json.dumps([{"id": "x", "seconds": 1}])
    annotations = Annotations(folder(tmp_path, a_json=row, b_json=row), skip_bad=True)
    assert len(list(annotations.records(JsonFile("a.json"), Spoken, record))) == 1
    assert len(list(annotations.records(JsonFile("b.json"), Spoken, record))) == 0
    assert annotations.dropped == [{"id": "b.json, row 1", "reason": "its id 'x' was taken already by a.json, row 1"}]


def test_a_row_that_is_rightly_no_sample_is_passed_over(tmp_path: Path) -> None:
    annotations = spoken(tmp_path, id="x", seconds=1)
    assert list(annotations.records(JsonFile("a.json"), Spoken, lambda _: None)) == []
    assert annotations.dropped == []


def test_a_table_holds_the_first_of_two_rows_of_a_key(tmp_path: Path) -> None:
    files = folder(tmp_path, a_json='[{"id": "x", "seconds": 1}, {"id": "x", "seconds": 2}]')
    with pytest.raises(RecordError, match="row 2: 'x' has an entry already"):
        Annotations(files).table(JsonFile("a.json"), Spoken, lambda row: row.id)
    annotations = Annotations(files, skip_bad=True)
    table = annotations.table(JsonFile("a.json"), Spoken, lambda row: row.id)
    assert {key: row.seconds for key, row in table.items()} == {"x": 1.0}
    assert len(annotations.dropped) == 1
