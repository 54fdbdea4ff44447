"""A file is written whole or left as it was; a link stays a link, and what is no file is written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from egobench.whole_file import replace_file, replacing


def test_what_fails_half_way_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_file(path, "before")

    def fail(part: Path) -> None:
        part.write_text("hal")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), replacing(path) as part:
        fail(part)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.json", "before")]


def test_two_processes_never_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with replacing(path) as part:
        part.write_text("ours, late")
        child = os.fork()
        if child == 0:
            replace_file(path, "theirs")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours, late"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "far.txt")
    replace_file(tmp_path / "link", "through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far.txt").read_text() == "through"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", "a line")
    assert os.read(reader, 100) == b"a line"
    os.close(reader)
    assert not (tmp_path / "pipe").is_file()
