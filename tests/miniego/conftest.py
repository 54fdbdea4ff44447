"""A small world, simulated and written without videos."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from egobench.miniego import generate
from egobench.miniego.world.activities import activities
from egobench.miniego.world.simulate import TAKE_FPS, TrainingEpisodes, World, simulate
from egobench.miniego.world.walks import walks
from tests.once import made_once


@pytest.fixture(scope="session")
def small() -> World:
    return simulate("small")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    generate(out, "small", videos=False)
    return out


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world with all its videos, every frame marked with its time; its summary lies in it. Never written to."""

    def make(out: Path) -> None:
        summary = generate(out, "small", timecode=True)
        (out / "summary.json").write_text(json.dumps(asdict(summary)))

    return made_once(tmp_path_factory, "filmed", make)


@pytest.fixture(scope="session")
def training() -> TrainingEpisodes:
    """A split of 12 families, every second of siblings, and 16 groups of walks."""
    takes = [
        episode for number in range(12) for episode in activities(0, "train", number, TAKE_FPS, alike=number % 2 == 0)
    ]
    return TrainingEpisodes(takes, [], list(walks(0, "train", 16, 60)))
