"""A small world, simulated and written without videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from egobench.miniego import generate
from egobench.miniego.world.simulate import World, simulate


@pytest.fixture(scope="session")
def small() -> World:
    return simulate("small")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    generate(out, "small", videos=False)
    return out
