"""A model that writes down every question it is asked, at once, and answers by what it is shown; and a run with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.plugins import load_task
from tests.cli import EGOBENCH
from tests.conftest import Navigation, NoEmbedder

ASKER = """
import hashlib, os, signal, time
from egobench.model import FramePolicy, ModelInfo, Reply

class Asker:
    def __init__(self, frames, wait):
        self.info, self.wait = ModelInfo("asker", "1", frames=FramePolicy(count=frames)), wait

    def generate(self, prompts):
        return [self.reply(prompt) for prompt in prompts]

    def reply(self, prompt):
        log = os.open(os.environ["ASKED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(log, f"{os.getpid()} {prompt.question}\\n".encode())
        os.close(log)
        time.sleep(self.wait)
        digest = hashlib.sha256(prompt.frames.tobytes() + prompt.question.encode()).digest()
        return Reply("ABCD"[digest[0] % 4])

def load(*, frames: int = 4, wait: float = 0.0, die: bool = False):
    if die:
        signal.raise_signal(signal.SIGKILL)
    return Asker(frames, wait)
"""


@dataclass(frozen=True)
class AskerRun:
    """Questions about videos, and a model installed beside EgoBench.

    Attributes:
        root: Where everything is.
        videos: Folder of videos.
        environment: What commands run in.
    """

    root: Path
    videos: Path
    environment: dict[str, str]

    def command(self, out: str, *options: str) -> list[str]:
        """The command of a run."""
        data, videos = str(self.root / "asked-data"), str(self.videos)
        folders = ("--data", data, "--videos", videos, "--out", str(self.root / out))
        return [*EGOBENCH, "run", "asker", *folders, *options, "--json"]

    def start(self, out: str, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start a run."""
        return subprocess.Popen(
            self.command(out, *options),
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, out: str, *options: str, **environment: str) -> bytes:
        """Do a run to its end; the bytes of its scores."""
        process = self.start(out, *options, **environment)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return self.scores(out)

    def folder(self, out: str) -> Path:
        """The folder of the one run."""
        (folder,) = (self.root / out).glob("asker/*")
        return folder

    def scores(self, out: str) -> bytes:
        """The bytes of the scores."""
        return (self.folder(out) / "scores.json").read_bytes()

    def writers(self, out: str) -> list[str]:
        """Names of those that have written."""
        return sorted(file.name.split(".")[-2] for file in self.folder(out).glob("predictions/*.jsonl"))

    def asked(self) -> list[tuple[int, str]]:
        """Process and question of everything that was asked."""
        file = Path(self.environment["ASKED"])
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(process), question) for process, _, question in (line.partition(" ") for line in lines)]

    def forget(self) -> None:
        """Forget what was asked."""
        Path(self.environment["ASKED"]).unlink()

    def wait_for(self, count: int, process: subprocess.Popen[str]) -> None:
        """Wait until so many questions were asked."""
        until = monotonic() + 120
        while len(self.asked()) < count:
            assert process.poll() is None, process.communicate()
            assert monotonic() < until
            sleep(0.01)

    def times_asked(self) -> Counter[str]:
        """How often each question was asked."""
        return Counter(question for _, question in self.asked())


def asker_run(world: Navigation, questions: int) -> AskerRun:
    """Make a run of so many questions, each about a video of its own."""
    plugin = world.root / "plugins" / "asker-1.0.dist-info"
    plugin.mkdir(parents=True)
    (plugin.parent / "asker.py").write_text(ASKER)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: asker\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text("[egobench.models]\nasker = asker:load\n")
    rows = json.loads((world.annotations / "egocentric_navigation.json").read_text())
    many: list[dict[str, object]] = []
    for number in range(questions):
        row = rows[number % len(rows)]
        video = f"{Path(row['video']).parent}/{number}_frame24.mp4"
        if not (world.videos / video).exists():
            os.link(world.videos / row["video"], world.videos / video)
        many.append({**row, "video": video, "question": f"Which way now, {number}?"})
    annotations = world.root / "many"
    annotations.mkdir()
    (annotations / "egocentric_navigation.json").write_text(json.dumps(many))
    environment = {**os.environ, "PYTHONPATH": str(plugin.parent), "ASKED": str(world.root / "asked")}
    build(load_task("vln-qa"), Annotations(annotations), NoEmbedder()).write(world.root / "asked-data")
    return AskerRun(world.root, world.videos, environment)
