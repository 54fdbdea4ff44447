"""Run folders are found below others: behind links, each once, damaged ones too, and no trainings."""

from __future__ import annotations

from pathlib import Path

from egobench.run.finding import files_below, find_run_folders


def _folder(path: Path, run_file: str = '{"spec": {}, "recorded": {}}') -> Path:
    path.mkdir(parents=True)
    (path / "run.json").write_text(run_file)
    return path


def test_a_damaged_run_is_found_and_a_training_is_none(tmp_path: Path) -> None:
    whole, damaged = _folder(tmp_path / "b" / "1"), _folder(tmp_path / "a" / "2", "{")
    _folder(tmp_path / "training", '{"format": 1, "recipe": {"name": "tiny"}, "begun_from": {}}')
    assert find_run_folders(tmp_path) == [damaged, whole]
    assert find_run_folders(whole) == [whole]


def test_runs_behind_links_are_found_once_each(tmp_path: Path) -> None:
    elsewhere, here = _folder(tmp_path / "elsewhere" / "1"), tmp_path / "here"
    own = _folder(here / "own")
    (here / "also").symlink_to(elsewhere.parent)
    (here / "twice").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(here)
    assert find_run_folders(here) == [here / "also" / "1", own]


def test_nothing_is_below_what_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    assert [*files_below(file)] == []
    assert [*files_below(tmp_path / "none")] == []
    assert [*files_below(tmp_path)] == [file, tmp_path / "nowhere"]
