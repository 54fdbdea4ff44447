"""What engines do: speed on several workers, kills at random moments, a machine that goes away, memory on a long run.

Usage::

    python benchmarks/engines.py speed [QUESTIONS]            (default 400)
    python benchmarks/engines.py kills [QUESTIONS [KILLS]]    (defaults 40000 and 50)
    python benchmarks/engines.py nodes [QUESTIONS]            (default 2000)
    python benchmarks/engines.py soak [QUESTIONS]             (default 200000)
    python benchmarks/engines.py store [QUESTIONS]            (default 200)

Each writes its questions, videos and runs to a temporary folder, and prints a JSON object.

* ``speed``: clips between 1 and 40 seconds, and a model that takes 50 ms a question: by waiting, as for a GPU or a
  server, and by computing, for which the machine needs as many idle processors as workers. One Ray worker and two;
  seconds from the first question to the last answer, and of the whole command.
* ``kills``: a run on two Ray workers of which a worker, or every third time the command itself, is killed (SIGKILL) at
  a random moment; the command is then given again. The scores must be the bytes of an undisturbed run on the local
  engine, and no more questions asked twice than were under way.
* ``nodes``: two Ray nodes on this machine; one is killed in the middle of a run.
* ``soak``: the local engine; resident memory after a tenth of the questions, and at the end.
* ``store``: processor seconds of a run that shows no frames, of one that decodes, of one that also fills a frame store,
  and of one that reads from it; the first is taken off before the ratio is. All three must predict the same.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time, sleep
from typing import Any, Final

import av
import numpy as np

from egobench.dataset.sampleset import SampleSet, encode
from egobench.evaluate import evaluate
from egobench.model import FramePolicy, ModelInfo, Prompt, Reply
from egobench.run.spec import Settings

EGOBENCH: Final = (sys.executable, "-m", "egobench")
WAYS: Final = ("Turn left and move forward", "Move forward", "Stop", "Turn right and move forward")
SECONDS: Final = (1, 1, 1, 2, 2, 4, 8, 40)
"""Lengths of the videos: skewed, as those of the tasks are."""

ASKER: Final = '''
"""Writes down when it is asked what, takes its time, and answers by what it is shown."""

import hashlib, os, time
from egobench.model import FramePolicy, ModelInfo, Reply

class Asker:
    def __init__(self, wait, work, frames):
        self.info, self.wait, self.work = ModelInfo("asker", "1", frames=FramePolicy(count=frames)), wait, work
        self.log = os.open(os.environ["ASKED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def generate(self, prompts):
        return [self.reply(prompt) for prompt in prompts]

    def reply(self, prompt):
        os.write(self.log, f"{time.time()} {prompt.question}\\n".encode())
        time.sleep(self.wait)
        until = time.thread_time() + self.work
        while time.thread_time() < until:
            pass
        digest = hashlib.sha256(prompt.frames.tobytes() + prompt.question.encode()).digest()
        return Reply("ABCD"[digest[0] % 4])

def load(*, wait: float = 0.0, work: float = 0.0, frames: int = 0):
    return Asker(wait, work, frames)
'''


class World:
    """Questions, videos and a model in a folder.

    Args:
        folder: Where to put them.
        questions: How many questions.
        videos: Whether there are videos.
    """

    def __init__(self, folder: Path, questions: int, *, videos: bool) -> None:
        self.folder, self.question_log = folder, folder / "asked"
        plugin = folder / "plugins" / "asker-1.0.dist-info"
        plugin.mkdir(parents=True)
        (plugin.parent / "asker.py").write_text(ASKER)
        (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: asker\nVersion: 1.0\n")
        (plugin / "entry_points.txt").write_text("[egobench.models]\nasker = asker:load\n")
        self.environment = {**os.environ, "PYTHONPATH": str(plugin.parent), "ASKED": str(self.question_log)}
        rows = [
            {"video": f"left/{number}.mp4", "question": "Which way?", "candidates": WAYS, "answer": WAYS[number]}
            for number in range(len(WAYS))
        ]
        (folder / "annotations").mkdir()
        (folder / "annotations" / "egocentric_navigation.json").write_text(json.dumps(rows))
        self.run("build", "vln-qa", "--annotations", str(folder / "annotations"), "--out", str(folder / "data"))
        self._multiply(questions)
        if videos:
            self._write_videos(questions)

    def _multiply(self, questions: int) -> None:
        """Make a few samples many; an audit of so many would take longer than what is measured."""
        few = SampleSet.read(self.folder / "data" / "vln-qa" / "official")
        samples = tuple(
            replace(
                few.samples[number % len(few.samples)],
                id=str(number),
                cluster=str(number),
                video=f"left/{number}.mp4",
                question=f"Which way, {number}?",
            )
            for number in range(questions)
        )
        digest = sha256(encode(samples)).hexdigest()
        manifest = replace(few.manifest, n=questions, n_by_subset={"all": questions}, samples_sha256=digest)
        SampleSet(manifest, samples).write(self.folder / "data")

    def _write_videos(self, questions: int) -> None:
        folder = self.folder / "videos" / "left"
        for number in range(questions):
            path = folder / f"{number}.mp4"
            if number < len(SECONDS):
                write_video(path, SECONDS[number])
            else:
                os.link(folder / f"{number % len(SECONDS)}.mp4", path)

    def command(self, out: str, *options: str) -> list[str]:
        """The command of a run."""
        folders = ("--data", self.folder / "data", "--videos", self.folder / "videos", "--out", self.folder / out)
        return [*EGOBENCH, "run", "asker", *map(str, folders), *options, "--json"]

    def run(self, *arguments: str, **environment: str) -> None:
        """Run a command to its end."""
        command = arguments if arguments[0] == sys.executable else [*EGOBENCH, *arguments]
        subprocess.run(command, check=True, capture_output=True, env={**self.environment, **environment})  # noqa: S603

    def scores(self, out: str) -> bytes:
        """The scores of the one run in a folder."""
        (file,) = (self.folder / out).glob("asker/*/scores.json")
        return file.read_bytes()

    def questions(self) -> list[tuple[float, str]]:
        """When which question was asked; forgotten with this call."""
        lines = self.question_log.read_text().splitlines() if self.question_log.exists() else []
        self.question_log.unlink(missing_ok=True)
        return [(float(moment), question) for moment, _, question in (line.partition(" ") for line in lines)]


def write_video(path: Path, seconds: int) -> None:
    """Write an H.264 video as most are, 640 x 480 pixels with B-frames, of a scene that moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
    scene = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    with av.open(path, "w") as container:
        options = {"g": "250", "preset": "veryfast", "bf": "3"}
        stream = container.add_stream("libx264", rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(30 * seconds):
            picture = np.roll(scene, (number, 3 * number), (0, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def speed(folder: Path, questions: int = 400) -> dict[str, Any]:
    """One worker and two, with a model that waits and with one that computes."""
    world, report = World(folder, questions, videos=True), dict[str, Any]()
    for kind in ("wait", "work"):
        for workers in (1, 2):
            out, started = f"{kind}{workers}", monotonic()
            options = ("-o", "frames=8", "-o", f"{kind}=0.05", "--engine", "ray", "--workers", str(workers))
            world.run(*world.command(out, *options))
            moments = [moment for moment, _ in world.questions()]
            report[out] = {"command": monotonic() - started, "asking": max(moments) - min(moments) + 0.05}
        report[f"{kind}_ratio"] = {
            key: round(report[f"{kind}1"][key] / report[f"{kind}2"][key], 2) for key in ("asking", "command")
        }
        report[f"{kind}_same_scores"] = world.scores(f"{kind}1") == world.scores(f"{kind}2")
    return report


def kills(folder: Path, questions: int = 40_000, times: int = 50) -> dict[str, Any]:
    """Kill workers and the command itself at random moments."""
    world, draw = World(folder, questions, videos=False), random.Random(7)  # noqa: S311 - no secret
    world.run(*world.command("whole", "--control", "blind"))
    world.questions()
    options = ("--control", "blind", "-o", "wait=0.004", "--engine", "ray", "--workers", "2")
    command, most_lost, killed = world.command("broken", *options), 0, Counter[str]()
    moments = sorted(draw.sample(range(questions // 100, questions - questions // 100), times))
    driver: subprocess.Popen[bytes] | None = None
    for number, moment in enumerate(moments):
        victims: list[int] = []
        while not victims:
            if driver is None or driver.poll() is not None:
                driver = subprocess.Popen(  # noqa: S603
                    command, env=world.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            sleep(0.05)
            if count_lines(world.question_log) >= moment:
                victims = [driver.pid] if number % 3 == 2 else workers_of(driver.pid)
        most_lost += 2 if victims == [driver.pid] else 1
        killed["command" if victims == [driver.pid] else "worker"] += 1
        os.kill(draw.choice(victims), signal.SIGKILL)
        if victims == [driver.pid]:
            driver.wait()
    if driver is not None:
        driver.wait()
    world.run(*command)
    times_asked = Counter(question for _, question in world.questions())
    return {
        "killed": dict(killed),
        "same_scores": world.scores("whole") == world.scores("broken"),
        "questions": len(times_asked),
        "asked_again": times_asked.total() - len(times_asked),
        "under_way_at_most": most_lost,
    }


def nodes(folder: Path, questions: int = 2000) -> dict[str, Any]:
    """Two Ray nodes on this machine, of which one is killed in the middle."""
    world = World(folder, questions, videos=False)
    world.run(*world.command("whole", "--control", "blind"))
    world.questions()
    port, token = free_port(), {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**world.environment, **token, "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
    head = start_node(environment, "--head", f"--port={port}", "--include-dashboard=false")
    second = start_node(environment, f"--address=127.0.0.1:{port}")
    try:
        options = ("--control", "blind", "-o", "wait=0.03", "--engine", "ray", "--workers", "2")
        driver = subprocess.Popen(  # noqa: S603
            world.command("nodes", *options),
            env={**world.environment, **token, "RAY_ADDRESS": f"127.0.0.1:{port}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while count_lines(world.question_log) < questions // 3 and driver.poll() is None:
            sleep(0.05)
        writers = len([*(folder / "nodes").glob("asker/*/predictions/*.jsonl")])
        kill_tree(second.pid)
        _, errors = driver.communicate()
        if driver.returncode:
            raise ChildProcessError(errors.decode())
    finally:
        kill_tree(second.pid)
        kill_tree(head.pid)
    times_asked = Counter(question for _, question in world.questions())
    return {
        "said": [line for line in errors.decode().splitlines() if "warning" in line][:3],
        "writers": writers,
        "same_scores": world.scores("whole") == world.scores("nodes"),
        "asked_again": times_asked.total() - len(times_asked),
    }


def soak(folder: Path, questions: int = 200_000) -> dict[str, Any]:
    """Resident memory of a long run."""
    world, memory = World(folder, questions, videos=False), list[tuple[int, int]]()
    process = subprocess.Popen(  # noqa: S603
        world.command("soak", "--control", "blind"), env=world.environment, stdout=subprocess.DEVNULL
    )
    started = monotonic()
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = next((line for line in status.splitlines() if line.startswith("VmRSS")), "VmRSS: 0 kB")
        memory.append((count_lines(world.question_log), int(resident.split()[1])))
        sleep(1)
    # Scoring comes after the last question, and is another matter.
    loop = [(count, resident) for count, resident in memory if questions / 10 <= count < questions]
    return {
        "questions": questions,
        "seconds": round(monotonic() - started, 1),
        "mb_after_a_tenth": round(loop[0][1] / 1024, 1),
        "mb_at_the_end": round(loop[-1][1] / 1024, 1),
        "growth_percent": round(100 * (loop[-1][1] / loop[0][1] - 1), 2),
    }


class Constant:
    """A model that takes no time, and is shown 16 frames."""

    info = ModelInfo("constant", "1", frames=FramePolicy(count=16))

    def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Answer A."""
        return [Reply("A")] * len(prompts)


def store(folder: Path, questions: int = 200) -> dict[str, Any]:
    """Processor seconds of decoding and of reading from a store, in this process."""
    World(folder, questions, videos=True)
    frames = folder / "frames"
    sets = [SampleSet.read(folder / "data" / "vln-qa" / "official")]
    runs: Mapping[str, Settings] = {
        "warm": Settings(limit=8),
        "blind": Settings(control="blind"),
        "decoded": Settings(),
        "filled": Settings(frame_store=frames),
        "read": Settings(frame_store=frames),
    }
    seconds: dict[str, float] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for out, settings in runs.items():
        started = process_time()
        result = evaluate(Constant(), sets, folder / "videos", folder / out, settings)
        seconds[out] = process_time() - started
        (file,) = (result.path / "predictions").iterdir()
        rows[out] = [{**json.loads(line), "seconds": 0} for line in file.read_text().splitlines()]
    spent = {out: seconds[out] - seconds["blind"] for out in ("decoded", "filled", "read")}
    return {
        "cpu_seconds": {out: round(value, 3) for out, value in seconds.items()},
        "decoded_over_read": round(spent["decoded"] / spent["read"], 1),
        "same_predictions": rows["decoded"] == rows["filled"] == rows["read"],
    }


def count_lines(path: Path) -> int:
    """Lines of a file that another process writes; 0 where there is none."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def processes() -> Iterator[tuple[int, int, str]]:
    """Number, parent and command line of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                yield int(entry.name), parent, (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue


def tree(root: int) -> dict[int, str]:
    """A process and all that descend from it, with their command lines."""
    table = {pid: (parent, command) for pid, parent, command in processes()}
    members = {root}
    while new := {pid for pid, (parent, _) in table.items() if parent in members} - members:
        members |= new
    return {pid: table[pid][1] for pid in members if pid in table}


def workers_of(driver: int) -> list[int]:
    """Ray actors that a command has started."""
    return [pid for pid, command in tree(driver).items() if command.startswith("ray::Actor")]


def kill_tree(root: int) -> None:
    """Kill a process that was started here and all that descend from it."""
    for pid in tree(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def start_node(environment: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
    """Start a Ray node with one processor, reachable from this machine alone."""
    quiet = ("--block", "--num-cpus=1", "--node-ip-address=127.0.0.1", "--disable-usage-stats")
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--object-store-memory=100000000"),
        *quiet,
        *options,
    ]
    node = subprocess.Popen(  # noqa: S603
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = iter(node.stdout or ())
    if not any(b"Ray runtime started" in line for line in lines):
        raise ChildProcessError(f"{' '.join(command)} ended with {node.wait()}")
    return node


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    measure = {"speed": speed, "kills": kills, "nodes": nodes, "soak": soak, "store": store}[sys.argv[1]]
    with TemporaryDirectory() as name:
        sys.stdout.write(json.dumps(measure(Path(name), *map(int, sys.argv[2:])), indent=2) + "\n")
