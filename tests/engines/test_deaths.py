"""A file whose decoding ends the process: two starts die of it, the third one goes on without it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from egobench.run.deaths import DecodingNotes
from egobench.run.locks import in_turn
from tests.conftest import Navigation
from tests.engines.asker import AskerRun, asker_run

DEADLY = """
import os, signal, sys
from egobench.video.pyav import PyavReader

frames = PyavReader.frames

def die(self, numbers, stop):
    if self.index.path.name == os.environ["DEADLY"]:
        signal.raise_signal(getattr(signal, os.environ["SIGNAL"]))
    return frames(self, numbers, stop)

PyavReader.frames = die
from egobench.cli import main
main()
"""
"""The command line with a decoder that crashes on one file."""


def start(run: AskerRun, deadly: str, by: str = "SIGSEGV", *options: str) -> subprocess.CompletedProcess[str]:
    arguments = run.command("out", "--workers", "2", "--min-coverage", "0.5", *options)
    at = arguments.index("run")
    environment = run.environment | {"DEADLY": deadly, "SIGNAL": by}
    command = [sys.executable, "-P", "-c", DEADLY, *arguments[at:]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def rows(run: AskerRun) -> dict[str, dict[str, object]]:
    lines = [line for path in run.folder("out").glob("predictions/*.jsonl") for line in path.read_text().splitlines()]
    return {row["id"]: row for row in map(json.loads, lines)}


@pytest.mark.slow
@pytest.mark.parametrize("engine", [(), ("--engine", "shards", "--shard", "0/1")])
def test_a_file_that_the_decoder_dies_of_twice_is_left_out_the_third_time(
    navigation: Navigation, engine: tuple[str, ...]
) -> None:
    run = asker_run(navigation, 6)
    deadly = "2_frame24.mp4"
    for _ in range(2):
        assert start(run, deadly, "SIGSEGV", *engine).returncode == -signal.SIGSEGV
    done = start(run, deadly, "SIGSEGV", *engine)
    assert done.returncode == 0, done.stderr
    answers = rows(run)
    failed = [row for row in answers.values() if row["outcome"] == "media_error"]
    assert len(answers) == 6
    assert failed
    assert all("died 2 times while it decoded this file" in str(row["error"]) for row in failed)
    assert all(deadly in str(row["error"]) for row in failed)
    # Another file under that name is tried again, and answered.
    (video,) = run.videos.rglob(deadly)
    content = video.read_bytes()
    video.unlink()
    video.write_bytes(content)
    assert start(run, "none", "SIGSEGV", *engine).returncode == 0
    assert {row["outcome"] for row in rows(run).values()} == {"answered"}


HANGING = """
import os, time
from egobench.video.pyav import PyavReader

frames = PyavReader.frames

def hang(self, numbers, stop):
    while self.index.path.name == os.environ["DEADLY"]:
        time.sleep(1)
    return frames(self, numbers, stop)

PyavReader.frames = hang
from egobench.cli import main
main()
"""
"""The command line with a decoder that never comes back from one file."""


@pytest.mark.slow
def test_a_command_whose_decoder_never_comes_back_ends(navigation: Navigation) -> None:
    run = asker_run(navigation, 6)
    arguments = run.command("out", "--workers", "2", "--min-coverage", "0.5", "--clip-timeout", "2")
    process = subprocess.run(
        [sys.executable, "-P", "-c", HANGING, *arguments[arguments.index("run") :]],
        env=run.environment | {"DEADLY": "2_frame24.mp4"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    outcomes = {sample_id: row["outcome"] for sample_id, row in rows(run).items()}
    assert sorted(map(str, outcomes.values())) == ["answered"] * 5 + ["media_error"]
    # Hanging is no death: the file is tried again.
    assert start(run, "none").returncode == 0
    assert {row["outcome"] for row in rows(run).values()} == {"answered"}


@pytest.mark.parametrize(
    ("report", "deadly"),
    [
        ("Fatal Python error: Segmentation fault\n\nCurrent thread 0x000000b1 (most recent call first):\n", {"b.mp4"}),
        ("Fatal Python error: Segmentation fault\n\nCurrent thread 0x000000cc (most recent call first):\n", set()),
        ("Fatal Python error: Segmentation fault\n\nThread 0x000000a1 (most recent call first):\n", {"a.mp4", "b.mp4"}),
        ("", set()),
    ],
    ids=[
        "a thread that decodes",
        "a thread that asks the model",
        "a thread of the decoder's own",
        "killed from outside",
    ],
)
def test_the_file_of_the_thread_that_crashed_is_counted(report: str, deadly: set[str], tmp_path: Path) -> None:
    notes = tmp_path / ".decoding"
    notes.mkdir()
    (notes / "main").write_text(json.dumps({"a1": "a.mp4", "b1": "b.mp4"}))
    (notes / "main.crash").write_text(report)
    with DecodingNotes(tmp_path, "main"):
        pass
    deaths = notes / "deaths.json"
    assert (set(json.loads(deaths.read_text())) if deaths.is_file() else set()) == deadly


CRASH = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x000000a1 (most recent call first):\n"


def leave_crash(run: Path, writer: str, file: str) -> Path:
    """Leave the notes of a process that crashed of a file; return where deaths are counted."""
    notes = run / ".decoding"
    notes.mkdir(exist_ok=True)
    (notes / writer).write_text(json.dumps({"a1": file}))
    (notes / f"{writer}.crash").write_text(CRASH)
    return notes / "deaths.json"


def begin_and_end(run: Path, writer: str) -> None:
    with DecodingNotes(run, writer):
        pass


def test_workers_that_start_together_count_their_deaths_one_after_the_other(tmp_path: Path) -> None:
    deaths = leave_crash(tmp_path, "worker-1", "a.mp4")
    start = Thread(target=begin_and_end, args=(tmp_path, "worker-1"), daemon=True)
    with in_turn(tmp_path, "deaths"):
        # Another worker is counting: this one waits, and adds to what that one writes.
        start.start()
        start.join(0.5)
        assert start.is_alive()
        deaths.write_text(json.dumps({"a.mp4": 1}))
    start.join(60)
    assert json.loads(deaths.read_text()) == {"a.mp4": 2}


def test_a_death_can_be_counted_in_a_turn_of_the_run(tmp_path: Path) -> None:
    deaths = leave_crash(tmp_path, "worker-0", "a.mp4")
    start = Thread(target=begin_and_end, args=(tmp_path, "worker-0"), daemon=True)
    with in_turn(tmp_path):
        start.start()
        start.join(60)
        assert not start.is_alive()
    assert json.loads(deaths.read_text()) == {"a.mp4": 1}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["SIGINT", "SIGKILL"])
def test_a_process_that_ends_otherwise_counts_as_no_death(by: str, navigation: Navigation) -> None:
    run = asker_run(navigation, 6)
    deadly = "2_frame24.mp4"
    for _ in range(2):
        assert start(run, deadly, by).returncode != 0
    assert start(run, "none").returncode == 0
    assert {row["outcome"] for row in rows(run).values()} == {"answered"}
    assert list(run.folder("out").glob(".decoding/*")) == []
