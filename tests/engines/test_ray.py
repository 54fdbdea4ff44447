"""The Ray engine: actors that share a run, kills, and clusters that are not there."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.conftest import Navigation
from tests.engines.asker import AskerRun, asker_run

pytest.importorskip("ray", reason="tox -e ray has it")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def actors(run: AskerRun) -> set[int]:
    """Processes that have asked something."""
    return {process for process, _ in run.asked()}


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_two_actors_share_a_run_and_one_that_dies_is_started_again(navigation: Navigation) -> None:
    run = asker_run(navigation, 60)
    whole = run.finish("whole")
    run.forget()
    process = run.start("ray", "--engine", "ray", "--workers", "2", "-o", "wait=0.25")
    run.wait_for(6, process)
    killed = run.asked()[-1][0]
    os.kill(killed, signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "an actor has died and is started again" in errors
    assert run.scores("ray") == whole
    assert len(actors(run)) >= 2
    # Whoever comes back writes where the dead one wrote, once that name is free.
    assert run.writers("ray") == ["worker-0", "worker-1"]
    times = run.times_asked()
    assert len(times) == 60
    assert times.total() - 60 <= 1


def test_a_command_that_is_killed_takes_its_actors_with_it_and_is_given_again(navigation: Navigation) -> None:
    run = asker_run(navigation, 30)
    whole = run.finish("whole")
    run.forget()
    options = ("--engine", "ray", "--workers", "2")
    process = run.start("ray", *options, "-o", "wait=0.2")
    run.wait_for(8, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run.finish("ray", *options) == whole
    assert not any(is_alive(actor) for actor in actors(run))
    times = run.times_asked()
    assert len(times) == 30
    assert times.total() - 30 <= 2


def test_a_model_that_every_actor_fails_to_load_is_an_error_with_its_own_words(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    process = run.start("ray", "--engine", "ray", "--workers", "1", "-o", "colour=red")
    _, errors = process.communicate()
    # Wrong use, as on the local engine.
    assert process.returncode == 2
    assert "model 'asker' has no option 'colour'" in errors
    assert "Traceback" not in errors


def test_a_cluster_that_is_not_there_is_named(navigation: Navigation) -> None:
    address = f"127.0.0.1:{free_port()}"
    run = asker_run(navigation, 12)
    process = run.start("ray", "--engine", "ray", RAY_ADDRESS=address)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert f"the Ray cluster at {address}" in errors
    assert not (run.root / "ray").exists()


def test_ray_that_is_missing_is_said_before_anything_else(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    hidden = navigation.root / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys; sys.modules['ray'] = None\n")
    path = os.pathsep.join([str(hidden), run.environment["PYTHONPATH"]])
    process = run.start("ray", "--engine", "ray", PYTHONPATH=path)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "needs the package ray; pip install" in errors
