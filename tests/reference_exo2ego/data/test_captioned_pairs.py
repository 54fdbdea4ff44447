"""Captioned videos and pictures: tables in three forms, and webdataset tars."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from egobench.errors import AnnotationFileError, RecordError
from reference_exo2ego.data.captioned_pairs import PairColumns, PairFile
from reference_exo2ego.data.samples import TrainingSample

CSV = 'video,caption\nclips/a.mp4,"A man, who cooks."\nb.JPG,A  dog.\n'
COLUMNS = PairColumns(media="video", source="web")


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, media: Path | None = None, columns: PairColumns = COLUMNS) -> list[TrainingSample]:
    return list(PairFile(path, media, columns).samples())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.csv", CSV),
        ("pairs.tsv", "caption\tvideo\nA man, who cooks.\tclips/a.mp4\nA  dog.\tb.JPG\n"),
        (
            "pairs.jsonl",
            '{"video": "clips/a.mp4", "caption": "A man, who cooks."}\n\n{"video": "b.JPG", "caption": "A  dog."}\n',
        ),
    ],
)
def test_tables_become_samples(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    first, second = read(tmp_path / name)
    assert (first.id, first.media, first.modality) == ("web_clips/a.mp4", "clips/a.mp4", "video")
    assert first.turns == ("<video>\n", "A man, who cooks.")
    assert (second.modality, second.turns) == ("image", ("<image>\n", "A dog."))
    assert second.facts == {"view": "exo"}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("clips/a.mp4,", "caption"),
        (",A dog.", "video"),
        ("clips/a.txt,A dog.", "video"),
        ("missing.mp4,A dog.", "video"),
        ("empty.mp4,A dog.", "video"),
        ("clips/a.mp4", ""),
    ],
)
def test_a_malformed_row_or_one_without_its_video_is_named_or_left_out(tmp_path: Path, row: str, field: str) -> None:
    for name in ("clips/a.mp4", "b.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "empty.mp4").write_bytes(b"")
    path = tmp_path / "pairs.csv"
    path.write_text(f"{CSV}{row}\n", encoding="utf-8")
    with pytest.raises(RecordError) as error:
        read(path, tmp_path)
    assert (error.value.file, error.value.row, error.value.field) == (path, "line 4", field)
    pairs = PairFile(path, tmp_path, COLUMNS, skip_bad=True)
    assert len(list(pairs.samples())) == 2
    assert [row["id"] for row in pairs.annotations.dropped] == ["pairs.csv, line 4"]


def test_a_tar_is_unpacked_and_its_captions_are_read(tmp_path: Path) -> None:
    members = {
        "x/0001.mp4": b"video",
        "x/0001.txt": b" A cook.\n",
        "x/0002.jpg": b"picture",
        "x/0002.json": json.dumps({"caption": "A café.", "url": "u"}).encode(),
    }
    path = tar(tmp_path / "shard-7.tar", members)
    samples = read(path, tmp_path / "media")
    assert [(sample.media, sample.modality, sample.turns[1]) for sample in samples] == [
        ("shard-7/x/0001.mp4", "video", "A cook."),
        ("shard-7/x/0002.jpg", "image", "A café."),
    ]
    assert [(tmp_path / "media" / sample.media).read_bytes() for sample in samples] == [b"video", b"picture"]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"2.mp4": b"v"}, "txt"),
        ({"2.mp4": b"v", "2.txt": b" \n"}, "txt"),
        ({"2.mp4": b"v", "2.txt": "für".encode("latin-1")}, "txt"),
        ({"2.mp4": b"v", "2.json": b"{"}, "json"),
        ({"2.mp4": b"v", "2.json": b'{"text": "a"}'}, "json.caption"),
        ({"2.mp4": b"", "2.txt": b"a"}, "mp4"),
        ({"2.txt": b"a"}, ""),
        ({"2.mp4": b"v", "2.jpg": b"p", "2.txt": b"a"}, ""),
        ({"../2.mp4": b"v", "../2.txt": b"a"}, "__key__"),
    ],
)
def test_a_malformed_pair_of_a_tar_is_named_or_left_out(
    tmp_path: Path, members: Mapping[str, bytes], field: str
) -> None:
    path = tar(tmp_path / "a.tar", {"1.mp4": b"v", "1.txt": b"One.", **members, "3.mp4": b"v", "3.txt": b"Three."})
    with pytest.raises(RecordError) as error:
        read(path, tmp_path / "media")
    assert (error.value.file, error.value.field) == (path, field)
    assert error.value.row.startswith("sample 2 (")
    pairs = PairFile(path, tmp_path / "media", COLUMNS, skip_bad=True)
    assert [sample.turns[1] for sample in pairs.samples()] == ["One.", "Three."]


def test_a_truncated_tar_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar", {f"{number}.{ending}": b"x" * 600 for number in range(9) for ending in ("mp4", "txt")}
    )
    whole = path.read_bytes()
    for size in (1536, 2048, 2500, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(AnnotationFileError, match="truncated"):
            read(path, tmp_path / "media")


def test_a_tar_that_is_none_another_kind_of_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no tar at all")
    with pytest.raises(AnnotationFileError, match="cannot be read as a webdataset tar"):
        read(tmp_path / "a.tar.gz", tmp_path)
    with pytest.raises(ValueError, match="needs a folder to write its media to"):
        read(tar(tmp_path / "b.tar", {"1.mp4": b"v"}))
    with pytest.raises(ValueError, match=r"expected a file \.csv"):
        read(tmp_path / "a.parquet")
    with pytest.raises(AnnotationFileError, match="no such file"):
        read(tmp_path / "none.tar", tmp_path)


def test_half_a_character_is_named_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"video": "a.mp4", "caption": "A \\ud800 dog."}\n')
    with pytest.raises(RecordError, match="half a character"):
        read(tmp_path / "pairs.jsonl")
