"""What the environment says of the processes that train: all of it, nothing, or an error that names what is wrong."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two real processes heard of failures of one of them, by failure."""
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    pytest.importorskip("ijson")
    from tests.reference_exo2ego.training.tiny_training import write_data

    root = tmp_path_factory.mktemp("failures")
    write_data(root / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    environment = {name: value for name, value in os.environ.items() if name != "WORLD_SIZE"}
    environment |= {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, *launcher, str(Path(__file__).with_name("failures.py")), str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((root / f"heard-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
def test_processes_wait_longer_than_torch_does_for_the_first_one(heard: list[dict[str, Any]]) -> None:
    assert [own["none_but_slow"] for own in heard] == [["", [2.0]]] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "first", "second"),
    [
        (
            "no_folder_for_checkpoints",
            "CheckpointError: .*cannot be written .*ot a directory",
            "CheckpointError: .*another",
        ),
        ("loss_is_no_number", "TrainingError: .*another process", "DivergenceError: stage1, step 0: the loss is no"),
        ("clips_cannot_be_read", "TrainingError: .*another process", "TrainingDataError: 2 clips in a row"),
        ("model_cannot_be_written", "ModelError: .*stage1/model", "TrainingError: .*another process"),
        ("data_changed", "ResumeError: stage1: clips.jsonl changed", "TrainingError: .*another process"),
    ],
)
def test_a_failure_of_one_process_is_heard_by_the_other(
    failure: str, first: str, second: str, heard: list[dict[str, Any]]
) -> None:
    for own, message in zip(heard, (first, second), strict=True):
        assert re.match(message, own[failure][0]), own[failure][0]
        assert own[failure][1] == [2.0]
