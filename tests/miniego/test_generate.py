"""Generating a world: the same bytes every time, one file for every stretch that is shown, enough questions."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.miniego import generate
from egobench.miniego.generate import TASKS
from egobench.miniego.official.files import Film
from egobench.miniego.rendering import render
from egobench.miniego.world import log
from egobench.miniego.world.simulate import World, simulate
from egobench.model import Model, Prompt
from egobench.plugins import load_model, load_task

OFFICIAL = ("egoschema", "qaego4d", "egoplan", "vln-qa", "egomcq")
GENERATE = """
import sys
from pathlib import Path
from egobench.miniego import generate
generate(Path(sys.argv[1]), "small", videos=False)
"""


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_another_process_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "17"}
    subprocess.run([sys.executable, "-c", GENERATE, str(tmp_path)], check=True, env=environment)
    assert _hashes(tmp_path) == _hashes(written)


def test_another_seed_asks_other_questions(written: Path, tmp_path: Path) -> None:
    generate(tmp_path, "small", seed=1, videos=False)
    name = "annotations/qaego4d/annotations.QaEgo4D_test.json"
    assert (tmp_path / name).read_bytes() != (written / name).read_bytes()


def test_the_log_holds_the_world(written: Path, small: World) -> None:
    assert list(log.read(written / "log.jsonl")) == small.episodes


def test_a_stretch_with_several_names_is_one_file(small: World, tmp_path: Path) -> None:
    walk = small.walks[0]
    films = [Film(tmp_path / name, "ego", 0.0, end) for name, end in (("a.mp4", 1.0), ("x/b.MP4", 1.0), ("c.mp4", 0.5))]
    render(walk, films, timecode=True)
    assert (tmp_path / "a.mp4").samefile(tmp_path / "x/b.MP4")
    assert not (tmp_path / "a.mp4").samefile(tmp_path / "c.mp4")
    with av.open(tmp_path / "c.mp4") as container:
        assert len(list(container.decode(video=0))) == 3  # 0.5 seconds at 6 frames a second


def test_the_summary_counts_at_least_100_questions_of_everything(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    summary = generate(tmp_path, "small", videos=False, progress=lambda done, total: calls.append((done, total)))
    assert len(summary.questions) == 10
    assert min(summary.questions.values()) >= 100
    assert (summary.videos, calls) == (0, [])
    assert summary.episodes == len(simulate("small").episodes)


def test_the_videos_of_some_tasks_alone_can_be_had(tmp_path: Path) -> None:
    summary = generate(tmp_path, "small", videos=["vln-qa"], workers=1)
    videos = [path for path in tmp_path.rglob("*") if path.suffix in {".mp4", ".MP4"}]
    assert summary.videos == len(videos) == summary.questions["vln-qa"]
    assert {path.relative_to(tmp_path).parts[:2] for path in videos} == {("videos", "vln-qa")}
    assert {folder.name for folder in (tmp_path / "annotations").iterdir()} == set(TASKS)


def test_a_task_that_it_does_not_have_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no task 'vlnqa'; it has charades-ego"):
        generate(tmp_path / "world", videos=["vlnqa"])
    assert not (tmp_path / "world").exists()


def _score(model: Model, folder: Path, task: str) -> dict[str, list[bool]]:
    """Whether each record of each subset is answered right from text alone, its options in the official order."""
    right: dict[str, list[bool]] = {}
    for number, record in enumerate(load_task(task).read(Annotations(folder))):
        if record.options:
            none = (np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0))
            prompt = Prompt(*none, "", record.question, record.options, "", 64, number)
            reply = model.generate([prompt])[0].text
            right.setdefault(record.subset, []).append("ABCDEFGHIJ".index(reply.strip("()")[0]) == record.target)
    return right


@pytest.mark.slow
def test_text_alone_is_within_3_points_of_chance_on_the_full_world(tmp_path: Path) -> None:
    summary = generate(tmp_path, "full", videos=False)
    assert min(summary.questions.values()) >= 1000
    model = load_model("text-prior")
    chances = {"qaego4d": 0.25, "egoplan": 0.25, "vln-qa": 0.25}
    for task in OFFICIAL:
        for subset, right in _score(model, tmp_path / "annotations" / task, task).items():
            assert len(right) >= 1000, (task, subset)
            assert abs(sum(right) / len(right) - chances.get(task, 0.2)) <= 0.03, (task, subset)
