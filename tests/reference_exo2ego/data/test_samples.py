"""The format on disk: VideoLLaMA2's conversations and ours, there and back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import AnnotationFileError, RecordError, TrainingDataError
from reference_exo2ego.data.samples import SampleWriter, TrainingSample, read_samples
from tests.reference_exo2ego.data.training_samples import SAMPLES


def turns(*values: str) -> list[dict[str, str]]:
    return [{"from": "gpt" if number % 2 else "human", "value": value} for number, value in enumerate(values)]


def written(folder: Path, rows: list[Any], name: str = "a.json") -> Path:
    path = folder / name
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_samples_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    with SampleWriter(tmp_path / name) as writer:
        for sample in SAMPLES:
            writer.write(sample)
    assert list(read_samples(tmp_path / name)) == list(SAMPLES)


@pytest.mark.parametrize(
    ("own", "times"),
    [({}, (1.0, 2.0)), ({"start": 1.5}, (1.5, 2.0)), ({"end": 1.5}, (1.0, 1.5)), ({"start": 5, "end": 6}, (5.0, 6.0))],
)
def test_a_view_without_a_time_has_the_samples(
    tmp_path: Path, own: dict[str, float], times: tuple[float, float]
) -> None:
    turns = [{"from": "human", "value": "<video>\nwhat"}, {"from": "gpt", "value": "a cup"}]
    row = {"id": "a", "video": "a.mp4", "conversations": turns, "start": 1, "end": 2, "exo": [{"video": "b.mp4"} | own]}
    (sample,) = read_samples(written(tmp_path, [row]))
    assert sample.times_of(sample.exo[0]) == times


def test_nothing_written_is_an_empty_list(tmp_path: Path) -> None:
    with SampleWriter(tmp_path / "a.json"):
        pass
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_videollama2s_own_rows_are_read(tmp_path: Path) -> None:
    rows = [
        {
            "id": 0,
            "video": "videos/xxx.mp4",
            "conversations": turns("<video>\nWhat is done?", "He runs."),
        },
        {"id": 1, "image": "images/xxx.jpg", "conversations": turns("<image>\nDescribe it.", "A dog.")},
        {"id": 2, "image": {"video": "e.mp4"}, "conversations": turns("<video>\nWhich hand?", "The left one.")},
    ]
    samples = list(read_samples(written(tmp_path, rows)))
    assert [(sample.id, sample.media, sample.modality) for sample in samples] == [
        ("0", "videos/xxx.mp4", "video"), ("1", "images/xxx.jpg", "image"), ("2", "e.mp4", "video"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"conversations": []}, "conversations"),
        ({"conversations": turns("<video>\nWhat?", "A.", "B?")}, "conversations"),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "x", "value": "b"}]},
            "conversations.1.from",
        ),
        ({"image": "b.png"}, "image"),
        ({"start": 3, "end": 2}, "end"),
        ({"start": -1}, "start"),
        ({"exo": [{"camera": "cam01"}]}, "exo.0.video"),
        ({"start": 2, "exo": [{"video": "e.mp4"}, {"video": "f.mp4", "end": 1}]}, "exo.1.end"),
        ({"id": None}, "id"),
    ],
)
@pytest.mark.parametrize(("name", "row"), [("a.json", "row 2"), ("a.jsonl", "line 2")])
def test_a_malformed_row_is_named_or_passed_over(
    tmp_path: Path, change: dict[str, Any], field: str, name: str, row: str
) -> None:
    good = {"id": "a", "video": "v.mp4", "conversations": turns("<video>\nWhat?", "A cup.")}
    path = written(tmp_path, [good, {**good, **change}, good], name)
    with pytest.raises(RecordError) as error:
        list(read_samples(path))
    assert (error.value.file, error.value.row, error.value.field) == (path, row, field)
    assert len(list(read_samples(path, skip_bad=True))) == 2


@pytest.mark.parametrize(
    ("value", "field"), [({"b": ["\ud800"]}, "mood.b[0]"), (2**70, "mood"), (float("inf"), "mood")]
)
def test_a_further_field_that_nobody_could_write_again_is_named(tmp_path: Path, value: object, field: str) -> None:
    row = {"id": "a", "video": "v.mp4", "conversations": turns("<video>\nWhat?", "A cup."), "mood": value}
    with pytest.raises(RecordError) as error:
        list(read_samples(written(tmp_path, [row], "a.jsonl")))
    assert (error.value.row, error.value.field) == ("line 1", field)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "a"\n')
    with pytest.raises(RecordError, match=r"a\.jsonl, line 1: not JSON"):
        list(read_samples(path))
    path.write_bytes('{"id": "ü"}\n'.encode("latin-1"))
    with pytest.raises(RecordError, match=r"a\.jsonl, line 1: not UTF-8; .*byte 8"):
        list(read_samples(path))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"a file \.json or \.jsonl"):
        read_samples(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"ends in \.json or \.jsonl"):
        SampleWriter(tmp_path / "a.csv")


def test_an_earlier_file_stays_until_a_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("an earlier one\n")
    with pytest.raises(KeyError), SampleWriter(path) as writer:
        writer.write(SAMPLES[0])
        raise KeyError
    assert path.read_text() == "an earlier one\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_two_processes_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    code = (
        "from pathlib import Path\n"
        "from reference_exo2ego.data.samples import SampleWriter, TrainingSample\n"
        f"with SampleWriter(Path({str(path)!r})) as writer:\n"
        "    writer.write(TrainingSample('other', 'a.mp4', 'video', ('what?', 'this')))\n"
    )

    with SampleWriter(path) as writer:
        writer.write(TrainingSample("this", "a.mp4", "video", ("what?", "this")))
        subprocess.run([sys.executable, "-c", code], check=True)
        assert [sample.id for sample in read_samples(path)] == ["other"]

    assert [sample.id for sample in read_samples(path)] == ["this"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(TrainingDataError, match=r"file/a\.jsonl: cannot be written"),
        SampleWriter(tmp_path / "file/a.jsonl"),
    ):
        pass


@pytest.mark.parametrize("content", ["9" * 5000, '[{"id": "a", "start": ' + "9" * 5000 + "}]"])
def test_a_number_of_endless_digits_is_an_error_and_not_the_end_of_the_process(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(RecordError, match="a number of more than 64 bits") as error:
        list(read_samples(path))
    assert error.value.file == path
