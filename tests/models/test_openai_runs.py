"""Whole runs through openai: against a scripted server, and against transformers serve behind a faulty proxy."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.evaluate import Result, evaluate
from egobench.miniego import generate
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from tests.cli import EGOBENCH, egobench
from tests.conftest import Navigation, NoEmbedder
from tests.models.able_server import KEY, Able, loaded, shown, talking
from tests.models.faulty_proxy import FAULTS, proxying
from tests.scripted_server import HANG, Answer, Server

pytest.importorskip("httpx")
pytest.importorskip("tenacity")


def rows_of(path: Path) -> dict[str, dict[str, Any]]:
    """The last prediction of each sample of a run."""
    lines = [line for file in sorted(path.glob("predictions/*")) for line in file.read_text().splitlines()]
    return {row["id"]: row for row in map(json.loads, lines)}


def run_of(navigation: Navigation, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    """``egobench run openai`` over the twelve questions."""
    where = ("--data", navigation.data, "--videos", navigation.videos, "--out", navigation.root / "runs")
    return egobench("run", "openai", *where, "--frames", "4", *arguments, OPENAI_API_KEY=key)


def questions(server: Server) -> int:
    """How many questions a server was asked, the few of the probe aside."""
    return sum(shown(body) == 4 for body in server.asked)


# --- A scripted server -----------------------------------------------------------------------------------------------


def test_one_slow_answer_holds_up_nobody(navigation: Navigation) -> None:
    able, slow = Able(), list[float]()

    def says(body: dict[str, Any]) -> Answer:
        if shown(body) == 4 and not slow:
            slow.append(monotonic())
            sleep(1.5)
        return able(body)

    with talking(says) as server:
        model = loaded(server, concurrency=3)
        run = evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", Settings(frames=4))
    (path,) = run.path.glob("predictions/*")
    ids = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert len(set(ids)) == 12
    # Three threads begin with the first three, and two of them answer the eleven others while one waits; with batches
    # of three, only two others would be answered before.
    assert ids[-1] in {sample.id for sample in navigation.sample_set.samples[:3]}
    assert run.usage.to_json() == {
        "replies": 12, "retries": 0, "prompt_tokens": 12 * (40 + 4 * 7), "reply_tokens": 12 * 3, "cost": None
    }  # fmt: skip


def test_a_run_that_lost_requests_asks_those_alone_when_it_is_started_again(navigation: Navigation) -> None:
    able, lost = Able(), list[Any]()

    def says(body: dict[str, Any]) -> Answer:
        return (500, {}, b"the answer is (A)") if body["messages"] in lost else able(body)

    def run(name: str) -> Result:
        folder = navigation.root / name
        return evaluate(model, [navigation.sample_set], navigation.videos, folder, Settings(frames=4))

    with talking(says) as server:
        model = loaded(server, concurrency=2, choice="no")
        server.asked.clear()
        fine = run("fine")
        lost += [body["messages"] for body in server.asked[:3]]
        rows = rows_of(run("runs").path)
        failed = [row for row in rows.values() if row["outcome"] == "request_error"]
        assert (len(rows), len(failed)) == (12, 3)
        assert all((row["reply"], row["tries"], row["scores"]) == ("", 3, None) for row in failed)
        assert all("HTTP 500" in row["error"] for row in failed)
        # By hand: three requests were sent twice more, and are no answers.
        (file,) = navigation.root.glob("runs/toy/*/usage.json")
        used = json.loads(file.read_text())
        assert (used["replies"], used["retries"], used["reply_tokens"]) == (9, 6, 9 * 3)
        lost.clear()
        server.asked.clear()
        assert run("runs").scores == fine.scores
        assert len(server.asked) == 3


def test_a_dry_run_tells_what_fails(navigation: Navigation) -> None:
    able = Able()
    with talking(lambda body: (400, {}, b"longer than the context") if shown(body) == 4 else able(body)) as server:
        done = run_of(navigation, "-o", f"base_url={server.url}", "-o", "model=org/toy", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("HTTP 400 Bad Request: 'longer than the context'") == 1
    assert "2 more like these" in done.stderr


def test_scores_of_letters_tell_what_they_took(navigation: Navigation) -> None:
    able = Able(("logprobs", "top_logprobs"))
    with talking(able) as server:
        model = loaded(server, price_in=1e6, price_out=1e6)
        settings = Settings(method="likelihood-letter", frames=4, text_prior=1.0)
        run = evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", settings)
        # By hand: 40 + 4 x 7 tokens read with the video and 40 without it, and 3 written each time.
        assert run.usage.to_json() == {
            "replies": 12, "retries": 0, "prompt_tokens": 12 * 108, "reply_tokens": 12 * 6, "cost": 12 * 114.0
        }  # fmt: skip
        server.says = lambda _: (500, {}, b"oops")
        settings = Settings(method="likelihood-letter", frames=4, limit=2)
        run = evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs", settings)
    assert (run.usage.replies, run.usage.retries, run.usage.cost) == (0, 2 * 2, None)
    assert {row["error"] for row in rows_of(run.path).values()} == {
        "PromptError: HTTP 500 Internal Server Error: 'oops'"
    }


def test_a_run_whose_server_dies_goes_on_at_another_port(navigation: Navigation) -> None:
    able = Able()

    def dies(body: dict[str, Any]) -> Answer:
        return (500, {}, b"out of memory") if questions(server) > 5 else able(body)

    def run(url: str, *more: str) -> subprocess.CompletedProcess[str]:
        options = ("-o", f"base_url={url}", "-o", "model=org/toy", "-o", "tries=1", "-o", "concurrency=1")
        return run_of(navigation, *options, *more)

    with talking(dies) as server:
        died = run(server.url)
    # One at a time, so that five are answered; then seven fail, and ten in a row would end the run.
    assert (died.returncode, died.stdout.count("run folder")) == (1, 1)
    assert "HTTP 500 Internal Server Error: 'out of memory'" in died.stderr
    gone = run(server.url)
    assert gone.returncode == 1
    assert "cannot be reached" in gone.stderr
    with talking(able) as server:
        done = run(server.url, "--json")
        assert questions(server) == 7
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["usage"]["replies"] == 12
    assert len(list(navigation.root.glob("runs/toy/*"))) == 1


def test_an_interrupted_run_ends_at_once_and_asks_nothing_twice(navigation: Navigation) -> None:
    able = Able()

    def says(body: dict[str, Any]) -> Answer:
        return (HANG, {}, b"") if questions(server) > 7 else able(body)

    with talking(says) as server:
        where = ("--data", navigation.data, "--videos", navigation.videos, "--out", navigation.root / "runs")
        options = ("-o", f"base_url={server.url}", "-o", "model=org/toy", "-o", "concurrency=2", "--frames", "4")
        command = [*EGOBENCH, "run", "openai", *map(str, where), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while questions(server) < 9:
            sleep(0.05)
            assert process.poll() is None
        started = monotonic()
        process.send_signal(SIGINT)
        sleep(0.5)
        process.send_signal(SIGINT)
        process.communicate(timeout=30)
        # Who interrupts once waits ten seconds for answers that never come.
        assert monotonic() - started < 9
        (run,) = navigation.root.glob("runs/toy/*")
        assert len(rows_of(run)) == 7
        server.says = lambda number: able(server.asked[number])
        server.asked.clear()
        assert run_of(navigation, *options[:6]).returncode == 0
        assert questions(server) == 5


def test_one_command_asks_sums_up_and_tells_the_key_to_nobody(navigation: Navigation) -> None:
    able = Able(("logprobs", "top_logprobs"), says=lambda _: f"(B) {KEY}")
    busy = [(429, {"Retry-After": "0"}, b"slow down"), (500, {}, f"{KEY} failed".encode())]

    def says(body: dict[str, Any]) -> Answer:
        return busy.pop() if busy and shown(body) == 4 else able(body)

    with talking(says) as server:
        options = ("-o", f"base_url={server.url}", "-o", "model=org/toy", "-o", "price_in=1000", "-o", "price_out=0")
        done = run_of(navigation, *options, "--method", "auto", key=KEY)
        again = run_of(navigation, *options, "--method", "generate", "--json", key=KEY)
        dry = run_of(navigation, *options, "--dry-run", "--json", key=KEY)
    assert done.returncode == again.returncode == 0, done.stderr + again.stderr
    # By hand: 12 x (40 + 4 x 7) tokens at 1,000 a million.
    assert "12 replies; 816 tokens read, 36 written; 2 requests sent again; cost 0.82" in done.stdout
    told = json.loads(again.stdout)
    assert told["usage"]["cost"] == pytest.approx(0.816)
    assert all(name.endswith("/generate") for name in told["scores"])
    assert json.loads(dry.stdout)[0]["cost"] == pytest.approx(0.816)
    runs = sorted(navigation.root.glob("runs/toy/*"))
    kept = "".join(path.read_text() for run in runs for path in run.rglob("*") if path.is_file())
    assert "[key]" in kept
    assert KEY not in kept + done.stdout + done.stderr + again.stdout + again.stderr
    methods = {json.loads((run / "run.json").read_text())["spec"]["method"]: run for run in runs}
    assert set(methods) == {"likelihood-letter", "generate"}
    rows = rows_of(methods["likelihood-letter"]).values()
    # The server tells of A, B and C; D is at most as likely as C.
    assert {(row["rule"], row["floored"]) for row in rows} == {("likelihood-letter", 1)}
    assert {tuple(row["scores"]) for row in rows} == {(-1.5, -0.5, -3.0, -3.0)}
    assert json.loads((methods["generate"] / "usage.json").read_text()) == told["usage"]


# --- transformers serve ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleSet, Path, Path]:
    """MiniEgo's walks: their sample set, its folder, and their videos."""
    out = tmp_path_factory.mktemp("miniego")
    generate(out, "small", videos=["vln-qa"], workers=1)
    held = build(load_task("vln-qa"), Annotations(out / "annotations" / "vln-qa"), NoEmbedder())
    held.write(out / "data")
    return held, out / "data", out / "videos"


@dataclass(frozen=True)
class Child:
    """``transformers serve`` with a tiny random Qwen2-VL, in a process of its own.

    Attributes:
        process: The process.
        checkpoint: The model's folder, which is its name there, too.
        root: What the server's addresses begin with.
        log: What it prints.
    """

    process: subprocess.Popen[bytes]
    checkpoint: Path
    root: str
    log: Path


@pytest.fixture(scope="module")
def child(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Generator[Child]:
    """The process, which takes its time until it listens."""
    for package in ("torch", "fastapi", "uvicorn", "openai"):
        pytest.importorskip(package)
    folder = checkpoint("qwen2-vl")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    script = Path(__file__).with_name("transformers_serve.py")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as file:
        command = [sys.executable, str(script), str(folder), port]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            yield Child(process, folder, f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def served(child: Child, world: tuple[SampleSet, Path, Path]) -> tuple[str, str]:
    """The server's base address and the model's name, once it listens; the world is made meanwhile."""
    del world
    until = monotonic() + 120
    while monotonic() < until and child.process.poll() is None:
        try:
            with urlopen(f"{child.root}/health", timeout=5):  # noqa: S310 - 127.0.0.1
                return f"{child.root}/v1", str(child.checkpoint)
        except URLError:
            sleep(0.2)
    raise AssertionError(f"transformers serve did not come up: {child.log.read_text()[-2000:]}")


@pytest.mark.slow
def test_miniego_through_transformers_serve_and_a_faulty_proxy(
    served: tuple[str, str], world: tuple[SampleSet, Path, Path], tmp_path: Path
) -> None:
    url, name = served
    held, data, videos = world
    runs: list[dict[str, Any]] = []
    rows: list[dict[str, dict[str, Any]]] = []
    for share in (0.0, 0.05):
        with proxying(url, share=share, seed=20) as proxy:
            where = ("--data", data, "--videos", videos, "--out", tmp_path / f"{share}")
            options = {"base_url": proxy.url, "model": name, "timeout": 6, "concurrency": 8, "choice": "no"}
            given = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
            done = egobench("run", "openai", *given, *where, "--frames", "4", "--limit", "40", "--json")
            assert done.returncode == 0, done.stderr
            runs.append({**json.loads(done.stdout), "faults": proxy.faults, "seen": dict(proxy.seen)})
            rows.append(rows_of(Path(runs[-1]["run"])))
    fine, faulty = runs
    outcomes, tries = (Counter(row[key] for row in rows[1].values()) for key in ("outcome", "tries"))
    told = "%d samples; requests by fault: %s; outcomes: %s; samples by tries: %s"
    logging.getLogger(__name__).info(told, len(rows[1]), faulty["seen"], dict(outcomes), dict(tries))
    assert set(faulty["seen"]) == {*FAULTS, "none"}
    # Every sample is accounted for, with the very reply that it gets without faults, and none by the text of an error.
    assert rows[0].keys() == rows[1].keys() <= {sample.id for sample in held.samples}
    assert len(rows[1]) == 40
    assert [(row["reply"], row["outcome"], row["scores"]) for _, row in sorted(rows[1].items())] == [
        (row["reply"], row["outcome"], row["scores"]) for _, row in sorted(rows[0].items())
    ]
    assert all(row["error"] is None and "Server Error" not in row["reply"] for row in rows[1].values())
    assert faulty["scores"] == fine["scores"]
    # Faults also met the few requests of the probe, which belong to no sample.
    assert 0 < faulty["usage"]["retries"] <= faulty["faults"]
    assert faulty["usage"] == {**fine["usage"], "retries": faulty["usage"]["retries"]}


@pytest.mark.slow
def test_frames_sent_as_png_without_labels_get_the_replies_that_hf_gives(
    served: tuple[str, str], world: tuple[SampleSet, Path, Path], tmp_path: Path
) -> None:
    url, name = served
    held, _, videos = world
    settings = Settings(frames=4, limit=5)
    options: dict[str, Any] = {"base_url": url, "model": name, "choice": "no"}
    models = {
        "hf": load_model("hf", checkpoint=name, as_images="yes"),
        "png": load_model("openai", **options, image_format="png", labels=False),
        "jpeg": load_model("openai", **options, labels=False),
        "labels": load_model("openai", **options, image_format="png"),
    }
    rows = {
        kind: rows_of(evaluate(model, [held], videos, tmp_path / kind, settings).path) for kind, model in models.items()
    }
    replies = {kind: {key: row["reply"] for key, row in each.items()} for kind, each in rows.items()}
    tokens = {kind: sum(row["prompt_tokens"] for row in each.values()) for kind, each in rows.items()}
    assert tokens["png"] == tokens["jpeg"] == tokens["hf"] < tokens["labels"]
    # transformers serve keeps special tokens in what Qwen models say, and of a reply with <|endoftext|> in the middle,
    # as random weights may write, what follows it.
    plain = {
        kind: [re.sub(r"<\|\w+\|>", "", reply).strip() for _, reply in sorted(each.items())]
        for kind, each in replies.items()
    }
    assert [hf.endswith(png) and png != "" for hf, png in zip(plain["hf"], plain["png"], strict=True)] == [True] * 5
    # Random weights magnify the smallest difference of pixels: JPEG is not the same picture.
    assert plain["jpeg"] != plain["png"]
