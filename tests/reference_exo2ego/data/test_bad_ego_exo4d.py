"""Malformed files of Ego-Exo4D: each fault is named with file, row and field, and loses nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationFileError, RecordError
from reference_exo2ego.data.clip_rule import ClipRule
from reference_exo2ego.data.ego_exo_clip import build_clips
from tests.reference_exo2ego.data.ego_exo4d_files import annotator_pass, description, take, write

DESCRIPTIONS = "annotations/atomic_descriptions_train.json"


def good(folder: Path) -> Path:
    """Two takes, three narrations."""
    narrated = {
        "t1": [annotator_pass("a", [description(1), description(3)])],
        "t2": [annotator_pass("b", [description(2)])],
    }
    return write(folder, [take("t1"), take("t2")], narrated)


def altered(folder: Path, name: str, alter: Callable[[Any], object]) -> Path:
    """The same with one file changed."""
    path = good(folder) / name
    content = json.loads(path.read_text(encoding="utf-8"))
    alter(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def build(folder: Path, *, skip_bad: bool = False) -> int:
    """How many clips come out."""
    report = build_clips(Annotations(folder, skip_bad=skip_bad), folder / "clips.jsonl", ClipRule(), check=None)
    return report.statistics.seconds.n


def narration(content: Any, place: int = 1) -> dict[str, Any]:
    row: dict[str, Any] = content["annotations"]["t1"][0]["descriptions"][place]
    return row


@pytest.mark.parametrize(
    ("name", "alter", "row", "field", "left"),
    [
        (DESCRIPTIONS, lambda x: narration(x).pop("timestamp"), "take 't1', pass 'a', description 2", "timestamp", 2),
        (DESCRIPTIONS, lambda x: narration(x).update(timestamp=None), "description 2", "timestamp", 2),
        (DESCRIPTIONS, lambda x: narration(x).update(timestamp="NaN"), "description 2", "timestamp", 2),
        (DESCRIPTIONS, lambda x: narration(x).update(timestamp=-1), "description 2", "timestamp", 2),
        (DESCRIPTIONS, lambda x: narration(x).update(text=7), "description 2", "text", 2),
        (DESCRIPTIONS, lambda x: narration(x).update(unsure="perhaps"), "description 2", "unsure", 2),
        (DESCRIPTIONS, lambda x: x["annotations"]["t1"][0].pop("annotation_uid"), "'t1', pass 1", "annotation_uid", 1),
        (DESCRIPTIONS, lambda x: x["annotations"]["t1"].append("c"), "take 't1', pass 2", "", 3),
        (DESCRIPTIONS, lambda x: x["annotations"]["t2"][0].update(annotation_uid="a"), "'t2'", "annotation_uid", 2),
        ("takes.json", lambda x: x[0].pop("duration_sec"), "row 1", "duration_sec", 1),
        ("takes.json", lambda x: x[0].update(duration_sec=0), "row 1", "duration_sec", 1),
        ("takes.json", lambda x: x[1].update(frame_aligned_videos=[]), "row 2", "frame_aligned_videos", 2),
        ("takes.json", lambda x: x.append(x[0]), "take 't1'", "take_uid", 3),
        ("takes.json", lambda x: x.append(7), "row 3", "", 3),
        (
            "annotations/splits.json",
            lambda x: x["split_to_take_uids"]["val"].append("t1"),
            "take 't1'",
            "split_to_take_uids",
            1,
        ),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named_or_left_out(
    tmp_path: Path, name: str, alter: Callable[[Any], object], row: str, field: str, left: int
) -> None:
    folder = altered(tmp_path, name, alter)
    with pytest.raises(RecordError) as error:
        build(folder)
    assert error.value.file == folder / name
    assert row in error.value.row
    assert error.value.field == field
    assert not (folder / "clips.jsonl").exists()
    assert build(folder, skip_bad=True) == left


def test_a_nan_that_is_no_json_is_named_with_its_field(tmp_path: Path) -> None:
    folder = altered(tmp_path, DESCRIPTIONS, lambda x: narration(x).update(timestamp=float("nan")))
    with pytest.raises(RecordError, match=r"annotations\.t1\.1\.descriptions\.2, field 'timestamp': not JSON .* NaN"):
        build(folder)


def test_a_file_in_another_encoding_is_named_with_the_place(tmp_path: Path) -> None:
    path = good(tmp_path) / DESCRIPTIONS
    path.write_bytes(path.read_bytes().replace(b"C turns the wheel.", "C öffnet die Tür.".encode("latin-1"), 1))
    with pytest.raises(RecordError, match=r"_train.json, .*t1\.1\.descriptions\.1.*'text': not UTF-8"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b'[{"take_uid": "t1"', "truncated"),
        (b"{}", "holds no list of rows"),
    ],
)
def test_a_file_that_is_no_list_of_takes_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (good(tmp_path) / "takes.json").write_bytes(content)
    with pytest.raises(AnnotationFileError, match=rf"takes\.json.*{message}"):
        build(tmp_path)


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"takes\.json: no such file; is .* the right folder"):
        build(tmp_path)
