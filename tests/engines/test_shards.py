"""Shards: several processes share a run, and nobody can tell from its scores."""

from __future__ import annotations

import json
import signal

import pytest

from egobench.engines.shards import find_shard, parse_shard
from egobench.run.spec import Shard
from tests.cli import egobench
from tests.conftest import Navigation
from tests.engines.asker import asker_run


@pytest.mark.slow
def test_two_shards_in_two_processes_ask_everything_once_and_score_as_one(navigation: Navigation) -> None:
    run = asker_run(navigation, 40)
    whole = run.finish("whole")
    run.forget()
    first, second = (run.start("shared", "--engine", "shards", "--shard", f"{i}/2", "-o", "wait=0.1") for i in (0, 1))
    errors = [process.communicate()[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert run.scores("shared") == whole
    assert run.writers("shared") == ["worker-0", "worker-1"]
    assert set(run.times_asked().values()) == {1}
    assert len(run.times_asked()) == 40
    assert egobench("verify", str(run.folder("shared"))).returncode == 0


@pytest.mark.slow
def test_what_a_killed_shard_left_is_done_by_the_other_and_a_slow_one_is_helped(navigation: Navigation) -> None:
    run = asker_run(navigation, 40)
    whole = run.finish("whole")
    run.forget()
    killed = run.start("shared", "--engine", "shards", "--shard", "0/2", "-o", "wait=0.2")
    run.wait_for(3, killed)
    helper = run.start("shared", "--engine", "shards", "--shard", "1/2", "-o", "wait=0.2")
    while len({process for process, _ in run.asked()}) < 2:
        assert helper.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    _, errors = helper.communicate()
    assert helper.returncode == 0, errors
    assert run.scores("shared") == whole
    times = run.times_asked()
    assert len(times) == 40
    # One question was under way in the process that died.
    assert times.total() - 40 <= 1


@pytest.mark.slow
def test_another_number_of_shards_goes_on_where_the_first_ones_stopped(navigation: Navigation) -> None:
    run = asker_run(navigation, 40)
    whole = run.finish("whole")
    run.forget()
    process = run.start("shared", "--engine", "shards", "--shard", "1/4", "-o", "wait=0.05")
    run.wait_for(10, process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    before = len(run.times_asked())
    assert before < 40
    assert run.finish("shared", "--engine", "shards", "--shard", "2/3") == whole
    assert run.times_asked().total() <= 41
    run.forget()
    # A process that works alone reads what they have written.
    assert run.finish("shared") == whole
    assert run.asked() == []


@pytest.mark.slow
def test_a_process_that_works_alone_is_not_joined_and_one_that_shares_is_not_alone(navigation: Navigation) -> None:
    run = asker_run(navigation, 20)
    process = run.start("shared", "--engine", "shards", "--shard", "0/1", "-o", "wait=0.3")
    run.wait_for(1, process)
    alone = run.start("shared", "-o", "wait=0.3")
    _, errors = alone.communicate()
    assert alone.returncode == 1
    assert "another process is at work in" in errors
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert set(run.times_asked().values()) == {1}


@pytest.mark.slow
def test_a_line_that_a_dead_shard_tore_is_asked_again_and_stays_in_no_score(navigation: Navigation) -> None:
    run = asker_run(navigation, 12)
    whole = run.finish("whole")
    run.finish("shared", "--engine", "shards", "--shard", "0/2")
    (file,) = run.folder("shared").glob("predictions/*.worker-0.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    torn = json.loads(lines[-1])["id"]
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    (run.folder("shared") / "checksums.txt").unlink()
    run.forget()
    # The dead one's name is free, and whoever takes it cuts the torn line off before it writes behind it.
    assert run.finish("shared", "--engine", "shards", "--shard", "1/2") == whole
    assert len(run.asked()) == 1
    assert torn in {json.loads(line)["id"] for line in file.read_bytes().splitlines()}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"RANK": "2", "WORLD_SIZE": "8", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, Shard(2, 8)),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, Shard(3, 4)),
        # 10, 12, 14: the second of three, from SLURM's own description of its variables.
        (
            {
                "SLURM_ARRAY_TASK_ID": "12",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "10",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            Shard(1, 3),
        ),
        # Two processes in each of three tasks: task 1 has the third and fourth of six.
        (
            {
                "SLURM_ARRAY_TASK_ID": "1",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
            },
            Shard(3, 6),
        ),
        ({"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "0"}, Shard(0, 1)),
    ],
    ids=["nothing", "torchrun", "srun", "array", "srun in an array", "an array of nothing"],
)
def test_the_share_is_read_from_what_started_the_process(environment: dict[str, str], expected: Shard | None) -> None:
    assert find_shard(environment) == expected


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "0/0", "a/b", "1/2/3", "1 / 2"])
def test_a_text_that_names_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected INDEX/COUNT"):
        parse_shard(text)


def test_a_rank_out_of_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an index below the count"):
        find_shard({"RANK": "4", "WORLD_SIZE": "4"})


def test_a_shard_that_nobody_names_is_asked_for(navigation: Navigation) -> None:
    process = egobench(
        *("run", "first-choice", "--data", navigation.data, "--out", navigation.root / "runs", "--engine", "shards"),
        RANK="",
        SLURM_PROCID="",
        SLURM_ARRAY_TASK_ID="",
    )
    assert process.returncode == 2
    assert "--shard" in process.stderr
