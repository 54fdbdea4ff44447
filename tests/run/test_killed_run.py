"""A run that is killed at any moment goes on where it stopped, and nobody can tell from its scores."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from time import sleep

import pytest

from tests.cli import EGOBENCH
from tests.conftest import Navigation

KILLS = 20
SAMPLES = 120

ASKER = '''
"""A slow model that writes down every sample it is asked, at once, and answers by the frames it sees."""

import hashlib, os, time
from egobench.model import ModelInfo, Reply

class Asker:
    info = ModelInfo("asker", "1")

    def generate(self, prompts):
        replies = []
        for prompt in prompts:
            log = os.open(os.environ["ASKED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(log, (prompt.question + "\\\\n").encode())
            os.close(log)
            time.sleep(0.03)
            replies.append(Reply("ABCD"[hashlib.sha256(prompt.frames.tobytes()).digest()[0] % 4]))
        return replies

def load():
    return Asker()
'''


@pytest.fixture
def command(navigation: Navigation, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """The command line of a run of 120 samples over 12 videos, with a model installed beside EgoBench."""
    plugins = tmp_path / "plugins"
    (plugins / "asker-1.0.dist-info").mkdir(parents=True)
    (plugins / "asker.py").write_text(ASKER.replace("\\\\n", "\\n"))
    (plugins / "asker-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: asker\nVersion: 1.0\n")
    (plugins / "asker-1.0.dist-info" / "entry_points.txt").write_text("[egobench.models]\nasker = asker:load\n")
    annotations = tmp_path / "many"
    annotations.mkdir()
    rows = json.loads((navigation.annotations / "egocentric_navigation.json").read_text())
    many = []
    for number in range(SAMPLES):
        row = rows[number % len(rows)]
        video = f"{Path(row['video']).parent}/{number}_frame24.mp4"
        target = navigation.videos / video
        if not target.exists():
            os.link(navigation.videos / row["video"], target)
        many.append({**row, "video": video, "question": f"Which way now, {number}?"})
    (annotations / "egocentric_navigation.json").write_text(json.dumps(many))
    environment = {**os.environ, "PYTHONPATH": str(plugins), "ASKED": str(tmp_path / "asked")}
    data = str(tmp_path / "manydata")
    build = [*EGOBENCH, "build", "vln-qa", "--annotations", str(annotations), "--out", data]
    subprocess.run(build, env=environment, check=True, capture_output=True)
    return [*EGOBENCH, "run", "asker", "--data", data, "--videos", str(navigation.videos), "--out"], environment


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_bytes(
    command: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    arguments, environment = command
    subprocess.run([*arguments, str(tmp_path / "whole")], env=environment, check=True, capture_output=True)
    asked = Path(environment["ASKED"])
    assert len(asked.read_text().splitlines()) == SAMPLES
    asked.unlink()
    moments = random.Random(0)
    # Four kills fall somewhere in the start of the program, the others somewhere after so many samples were asked.
    progress = sorted([0] * 4 + moments.sample(range(2, SAMPLES - 1), KILLS - 4))
    for enough in progress:
        process = subprocess.Popen(
            [*arguments, str(tmp_path / "broken")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        while process.poll() is None and len(set(lines(asked))) < enough:
            sleep(0.002)
        sleep(moments.uniform(0, 0.03) if enough else moments.uniform(0, 1.0))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run([*arguments, str(tmp_path / "broken")], env=environment, check=True, capture_output=True)
    (whole,) = (tmp_path / "whole").glob("asker/*/scores.json")
    (broken,) = (tmp_path / "broken").glob("asker/*/scores.json")
    assert broken.read_bytes() == whole.read_bytes()
    times = Counter(lines(asked))
    assert len(times) == SAMPLES
    # One sample is in flight at a time, so each kill costs at most one question asked twice.
    assert sum(times.values()) - SAMPLES <= KILLS


def lines(file: Path) -> list[str]:
    """Whole lines of a file that another process writes."""
    return file.read_text().splitlines() if file.exists() else []
