"""One world and its runs for all tests of bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaderboard.submissions import Encoder, Talker, World, guesser, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """MiniEgo's questions with videos of plain colours."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def guessed(world: World) -> Path:
    """The bundle of a run of the built-in guesser over navigation and planning questions."""
    return world.bundle(world.run(guesser(), "vln-qa", "egoplan"))


@pytest.fixture(scope="session")
def worded(world: World) -> Path:
    """The bundle of a run that answers memory questions in words, closed and open ones."""
    return world.bundle(world.run(Talker(), "qaego4d"))


@pytest.fixture(scope="session")
def turned(world: World) -> Path:
    """The bundle of a run that is asked every navigation question in three orders of the options."""
    return world.bundle(world.run(guesser(), "vln-qa", orders=3))


@pytest.fixture(scope="session")
def weighed(world: World) -> Path:
    """The bundle of a run that scores every option."""
    return world.bundle(world.run(guesser(), "vln-qa", method="likelihood-sum"))


@pytest.fixture(scope="session")
def embedded(world: World) -> Path:
    """The bundle of a run that scores a whole gallery."""
    return world.bundle(world.run(Encoder(), "epic-kitchens-mir"))
