"""The demo's world: whole or not there, so that an interrupted demo may be begun again."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.commands import demo
from egobench.errors import EgoBenchError


def test_an_interrupted_world_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = tmp_path / "demo" / "miniego"

    def stop(folder: Path) -> None:
        folder.mkdir()
        (folder / "half.mp4").write_text("half")
        raise KeyboardInterrupt

    def generate(folder: Path) -> None:
        folder.mkdir()
        (folder / "log.jsonl").write_text("done")

    monkeypatch.setattr(demo, "make_world", stop)
    with pytest.raises(KeyboardInterrupt):
        demo.make_whole_world(world)
    assert list(world.parent.iterdir()) == []
    monkeypatch.setattr(demo, "make_world", generate)
    demo.make_whole_world(world)
    assert [path.name for path in world.iterdir()] == ["log.jsonl"]
    assert list(world.parent.iterdir()) == [world]


def test_a_folder_that_is_no_world_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "miniego").mkdir()
    (tmp_path / "miniego" / "thesis.tex").write_text("mine")
    with pytest.raises(EgoBenchError, match="holds no whole MiniEgo; delete it, or choose another --out"):
        demo.make_whole_world(tmp_path / "miniego")
    assert (tmp_path / "miniego" / "thesis.tex").read_text() == "mine"
