"""Malformed files of Ego-Exo4D: each fault is named with file, row and field, and loses nothing but itself."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from egobench.annotations import Annotations
from egobench.errors import AnnotationError, AnnotationFileError, RecordError
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


def deepen(path: Path, depth: int) -> None:
    """Put a list of lists of lists in the place of a number."""
    deep = "[" * depth + "]" * depth
    old = '"duration_sec": 60.0' if path.name == "takes.json" else '"timestamp": 3'
    path.write_text(path.read_text().replace(old, f"{old.partition(':')[0]}: {deep}", 1))


@pytest.mark.parametrize("depth", [500, 900, 3_000, 200_000])
@pytest.mark.parametrize("name", ["takes.json", DESCRIPTIONS])
def test_what_is_nested_very_deep_is_named(tmp_path: Path, name: str, depth: int) -> None:
    deepen(good(tmp_path) / name, depth)
    with pytest.raises(AnnotationError, match=r"timestamp|nested deeper than 100 lists and objects") as error:
        build(tmp_path)
    assert str(tmp_path / name) in str(error.value)


def test_depth_costs_no_memory(tmp_path: Path) -> None:
    # Two hundred thousand levels took ijson more than ten gigabytes; allocations are counted, not guessed.
    deepen(good(tmp_path) / "takes.json", 200_000)
    tracemalloc.start()
    try:
        with pytest.raises(AnnotationFileError, match="nested deeper"):
            build(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_brackets_in_texts_are_no_depth(tmp_path: Path) -> None:
    narrated = {"t1": [annotator_pass("a", [description(place / 10, "C says " + "[" * 50) for place in range(90)])]}
    assert build(write(tmp_path, [take("t1")], narrated)) == 90
