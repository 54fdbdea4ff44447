"""A small world, simulated and written without videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.miniego import generate
from egobench.miniego.world.activities import activities
from egobench.miniego.world.simulate import TAKE_FPS, TrainingEpisodes, World, simulate
from egobench.miniego.world.walks import walks


@pytest.fixture(scope="session")
def small() -> World:
    return simulate("small")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    generate(out, "small", videos=False)
    return out


@pytest.fixture(scope="session")
def training() -> TrainingEpisodes:
    """A split of 12 families, every second of siblings, and 16 groups of walks."""
    takes = [
        episode for number in range(12) for episode in activities(0, "train", number, TAKE_FPS, alike=number % 2 == 0)
    ]
    return TrainingEpisodes(takes, [], list(walks(0, "train", 16, 60)))
