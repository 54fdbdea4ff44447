"""EgoClip's table, in the columns of the official reader, to training samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.errors import AnnotationFileError, RecordError
from reference_exo2ego.data.egoclip import read_egoclip, spoken
from tests.reference_exo2ego.data.egoclip_table import FIRST, HEADER, SECOND, table


def test_rows_become_samples_within_their_videos(tmp_path: Path) -> None:
    files, samples = read_egoclip(table(tmp_path, FIRST, SECOND), pattern="v1/{video_uid}.mp4")
    first, second = samples
    assert (first.id, first.media, first.start, first.end) == ("egoclip_0", "v1/uid-a.mp4", 0.0, 3.1)
    assert first.turns == ("<video>\n", 'C says "yes", picks a something')
    assert first.facts["video_uid"] == "uid-a"
    assert (second.turns[1], second.end) == ("A man X waves", 480.0)
    assert list(files.sources) == ["egoclip.csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("#C C takes the cup", "C takes the cup"), ("# c  looks around", "looks around"), ("#unsure", "something")],
)
def test_marks_are_taken_off(text: str, words: str) -> None:
    assert spoken(text) == words


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (FIRST.replace("480.0", "long"), "video_dur"),
        (FIRST.replace("\t2.5\t", "\tnan\t"), "narration_time"),
        (FIRST.replace("3.1", "-0.4"), "clip_end"),
        (FIRST.replace("-0.4\t3.1", "480\t481"), "clip_end"),
        (FIRST.replace('#C C says "yes", picks a #unsure', "#C  "), "clip_text"),
        (FIRST.replace('#C C says "yes", picks a #unsure', " "), "clip_text"),
        (FIRST.removesuffix("\t[13, 2]"), ""),
        (f"{FIRST}\tmore", ""),
    ],
)
def test_a_malformed_row_is_named_or_left_out(tmp_path: Path, line: str, field: str) -> None:
    path = table(tmp_path, SECOND, line, SECOND)
    with pytest.raises(RecordError) as error:
        list(read_egoclip(path)[1])
    assert (error.value.file, error.value.row, error.value.field) == (path, "line 3", field)
    files, samples = read_egoclip(path, skip_bad=True)
    assert len(list(samples)) == 2
    assert [row["id"] for row in files.dropped] == ["egoclip.csv, line 3"]


def test_a_header_without_a_column_another_encoding_and_no_row_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, FIRST)
    path.write_text(path.read_text().replace("clip_text", "text"))
    with pytest.raises(AnnotationFileError, match="the header has no column 'clip_text'"):
        list(read_egoclip(path)[1])
    table(tmp_path, FIRST).write_bytes(f"{HEADER}\n{FIRST.replace('yes', 'für')}\n".encode("latin-1"))
    with pytest.raises(AnnotationFileError, match=r"egoclip\.csv, line \d or a little below: not UTF-8"):
        list(read_egoclip(path)[1])
    with pytest.raises(AnnotationFileError, match="no usable row"):
        list(read_egoclip(table(tmp_path))[1])


def test_a_pattern_without_a_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks \{video_uid\}"):
        read_egoclip(table(tmp_path, FIRST), pattern="video.mp4")
