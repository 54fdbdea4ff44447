"""The Ray engine: actors that share a run, kills, and clusters that are not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest

from tests.cli import egobench
from tests.conftest import Navigation
from tests.engines.asker import AskerRun, asker_run
from tests.engines.ray_cluster import family, free_port, ray_cluster

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


def addresses(processes: set[int]) -> set[str]:
    """Addresses at which these processes listen, as the kernel writes them."""
    listeners: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listeners[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    names: set[str] = set()
    for process in processes:
        with suppress(OSError):
            names |= {str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()}
    return {address for name, address in listeners.items() if name in names}


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
    assert "an actor has died, and is started again" in errors
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


def test_actors_import_what_the_command_does_and_not_what_lies_in_its_folder(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    whole = run.finish("whole")
    checkout = run.root / "checkout"
    (checkout / "egobench").mkdir(parents=True)
    (checkout / "egobench" / "__init__.py").write_text("raise ImportError('this is a checkout')\n")
    process = subprocess.run(
        run.command("ray", "--engine", "ray", "--workers", "1"),
        cwd=checkout,
        env={**run.environment, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert run.scores("ray") == whole


def test_a_cluster_of_a_commands_own_is_reachable_from_this_machine_alone(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    process = run.start("ray", "--engine", "ray", "--workers", "1", "-o", "wait=1")
    run.wait_for(1, process)
    # 127.0.0.1, as such and as an address of IPv6; Ray's head, its node and the actor listen.
    assert addresses(family(process.pid)) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert addresses(family(process.pid))
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def test_actors_that_die_again_and_again_end_the_run(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    process = run.start("ray", "--engine", "ray", "--workers", "1", "-o", "die=true")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "every actor died 3 times in a row and nothing was answered in between" in errors
    assert "--engine local" in errors
    assert "Traceback" not in errors


def test_a_shard_helps_actors_of_ray(navigation: Navigation) -> None:
    run = asker_run(navigation, 60)
    whole = run.finish("whole")
    run.forget()
    process = run.start("ray", "--engine", "ray", "--workers", "1", "-o", "wait=0.5")
    run.wait_for(2, process)
    shard = run.start("ray", "--engine", "shards", "--shard", "1/2", "-o", "wait=0.5")
    errors = [command.communicate()[1] for command in (process, shard)]
    assert (process.returncode, shard.returncode) == (0, 0), errors
    assert len(actors(run)) == 2
    assert set(run.times_asked().values()) == {1}
    assert run.scores("ray") == whole


def test_one_of_two_machines_dies_and_the_run_ends_with_the_same_scores(navigation: Navigation) -> None:
    run = asker_run(navigation, 60)
    whole = run.finish("whole")
    run.forget()
    with ray_cluster(run.environment, 2) as cluster:
        process = run.start("ray", "--engine", "ray", "--workers", "2", "-o", "wait=0.5", **cluster.environment)
        while len(actors(run)) < 2:
            assert process.poll() is None, process.communicate()
            sleep(0.05)
        cluster.nodes[1].kill()
        left = 60 - len(run.times_asked())
        _, errors = process.communicate()
    assert left > 20
    assert process.returncode == 0, errors
    assert "an actor has died" in errors
    assert run.scores("ray") == whole
    times = run.times_asked()
    assert len(times) == 60
    assert times.total() - 60 <= 1
    assert egobench("verify", str(run.folder("ray"))).returncode == 0


def test_a_cluster_that_vanishes_is_an_error_and_the_same_command_goes_on_without_it(navigation: Navigation) -> None:
    run = asker_run(navigation, 60)
    whole = run.finish("whole")
    run.forget()
    command = ("--engine", "ray", "--workers", "2")
    with ray_cluster(run.environment, 2) as cluster:
        process = run.start("ray", *command, "-o", "wait=0.5", **cluster.environment)
        while len(actors(run)) < 2:
            assert process.poll() is None, process.communicate()
            sleep(0.05)
        cluster.kill()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"the Ray cluster at {cluster.address} (RAY_ADDRESS) has vanished" in errors
    assert "without RAY_ADDRESS" in errors
    assert "Traceback" not in errors
    assert run.finish("ray", *command) == whole
    times = run.times_asked()
    assert len(times) == 60
    # One question was under way in each of two actors.
    assert times.total() - 60 <= 2


def test_a_cluster_that_wants_a_token_lets_nobody_in_without_it_and_the_error_says_so(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    with ray_cluster(run.environment, 1) as cluster:
        process = run.start("ray", "--engine", "ray", RAY_ADDRESS=cluster.address)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    assert f"no connection to the Ray cluster at {cluster.address}" in errors
    assert "RAY_AUTH_TOKEN" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "http://127.0.0.1:8265"])
def test_an_address_that_is_none_is_named(address: str, navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    process = run.start("ray", "--engine", "ray", RAY_ADDRESS=address)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"no connection to the Ray cluster at {address} (RAY_ADDRESS)" in errors
    assert "unset RAY_ADDRESS" in errors
    assert "Traceback" not in errors


def test_something_else_that_listens_at_the_address_is_given_up(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        arguments = run.command("ray", "--engine", "ray")
        impatient = (
            "from egobench.engines import ray_cluster; ray_cluster.CONNECT_SECONDS = 8.0; "
            "from egobench.cli import main; main()"
        )
        process = subprocess.run(
            [sys.executable, "-P", "-c", impatient, *arguments[arguments.index("run") :]],
            env={**run.environment, "RAY_ADDRESS": address},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert process.returncode == 1
    assert "no answer of Ray's within 8 seconds; does something else listen there?" in process.stderr
    assert "Traceback" not in process.stderr


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
