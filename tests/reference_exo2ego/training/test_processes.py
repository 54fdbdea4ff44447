"""What the environment says of the processes that train: all of it, nothing, or an error that names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from egobench.errors import TrainingError
from reference_exo2ego.training.processes import Processes, begin_processes, end_processes


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment that says nothing."""
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    yield
    end_processes()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'; expected a number"),
        ({"WORLD_SIZE": "-1"}, "WORLD_SIZE is '-1'; expected a number"),
        ({"WORLD_SIZE": "2", "RANK": "1.0"}, "RANK is '1.0'; expected a number"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2, but RANK, MASTER_ADDR, MASTER_PORT not set; start it with torchrun"),
        ({"RANK": "3"}, "RANK is 3, but WORLD_SIZE, MASTER_ADDR, MASTER_PORT not set"),
        (
            {"RANK": "4", "WORLD_SIZE": "4", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "RANK is 4 and WORLD_SIZE 4; expected a rank below their number",
        ),
    ],
)
def test_an_environment_that_is_half_set_or_nonsense_is_refused(
    environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=message):
        begin_processes()


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"WORLD_SIZE": "0"}, {"WORLD_SIZE": ""}])
def test_a_process_alone_needs_nothing(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert begin_processes() == Processes(0, 1, 0)
