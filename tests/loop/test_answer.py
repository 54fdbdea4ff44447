"""Calls of the model that fail: for want of memory, for one prompt of a batch, or while others are under way."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from signal import SIGINT, pthread_kill
from threading import Barrier, Event, Lock, main_thread
from time import monotonic, sleep

import pytest

from egobench.errors import EndpointError, ModelMemoryError, PromptError
from egobench.evaluate import Result, evaluate
from egobench.model import ModelInfo, Prompt, Reply
from egobench.run.spec import Settings
from tests.conftest import Navigation

ID = "vln-qa/all/mcq/official/acc/generate"


class Small:
    """Answers A, a few prompts at a time; prompts with certain digits in their seed are too long for it."""

    info = ModelInfo("small", "1")

    def __init__(self, rows: int, too_long: str = "-") -> None:
        self.rows = rows
        self.too_long = too_long
        self.batches: list[int] = []

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        self.batches.append(len(prompts))
        if len(prompts) > self.rows:
            raise ModelMemoryError("model 'small': out of memory")
        if any(self.too_long in str(prompt.seed) for prompt in prompts):
            raise PromptError("model 'small' reads 10 tokens; prompt and answer need 11")
        return [Reply("A") for _ in prompts]


def run(world: Navigation, model: Small, batch_size: int, out: str) -> Result:
    return evaluate(model, [world.sample_set], world.videos, world.root / out, Settings(batch_size=batch_size))


def test_a_batch_that_does_not_fit_is_halved_and_the_run_goes_on(navigation: Navigation) -> None:
    tight, roomy = Small(rows=2), Small(rows=12)
    halved = run(navigation, tight, 8, "tight")
    # 8 do not fit, nor does its half of 4; from then on 2 are asked at a time: 12 samples in 6 batches of 2.
    assert tight.batches == [8, 4, 2, 2, 2, 2, 2, 2]
    assert halved.scores == run(navigation, roomy, 12, "roomy").scores
    assert halved.scores[ID].outcomes["answered"] == 12
    events = [json.loads(line) for line in (halved.path / "events.jsonl").read_text().splitlines()]
    assert [event["part"] for event in events] == ["vln-qa.all.mcq.official"] * 2
    assert "a batch of 8 was halved, and 4 are asked at a time now" in events[0]["what"]
    assert "a batch of 4 was halved, and 2 are asked at a time now" in events[1]["what"]
    assert "events.jsonl" in (halved.path / "checksums.txt").read_text()


def test_a_prompt_that_fits_by_no_means_is_a_request_error_alone(navigation: Navigation) -> None:
    result = run(navigation, Small(rows=0), 4, "none")
    assert result.scores[ID].outcomes["request_error"] == 12


@pytest.mark.parametrize("batch_size", [1, 5, 12])
def test_one_prompt_that_is_too_long_costs_no_other_sample_its_answer(navigation: Navigation, batch_size: int) -> None:
    probe = Small(rows=12)
    seeds: list[int] = []
    probe.generate = lambda prompts: [seeds.append(one.seed) or Reply("A") for one in prompts]  # type: ignore[method-assign,func-returns-value]
    run(navigation, probe, 12, "probe")
    result = run(navigation, Small(rows=12, too_long=str(seeds[3])), batch_size, f"long{batch_size}")
    assert result.scores[ID].outcomes == {**dict.fromkeys(result.scores[ID].outcomes, 0), "answered": 11,
                                             "request_error": 1}  # fmt: skip
    (file,) = (result.path / "predictions").iterdir()
    failed = [row for row in map(json.loads, file.read_text().splitlines()) if row["outcome"] == "request_error"]
    assert [row["error"] for row in failed] == ["PromptError: model 'small' reads 10 tokens; prompt and answer need 11"]


class Elsewhere:
    """Answers A four at a time; the first of the first four to be asked fails before the others have answered."""

    info = ModelInfo("elsewhere", "1")
    at_once = 4

    def __init__(self, failure: BaseException | None = None) -> None:
        self.asked = 0
        self._failure = failure
        self._lock, self._together = Lock(), Barrier(4, timeout=20)

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        with self._lock:
            self.asked += 1
            place = self.asked
        if self._failure is not None and place <= 4:
            self._together.wait()
            if place == 1 and isinstance(self._failure, KeyboardInterrupt):
                pthread_kill(main_thread().ident or 0, SIGINT)
            elif place == 1:
                raise self._failure
            sleep(0.3)
        return [Reply("A") for _ in prompts]


@pytest.mark.parametrize("failure", [EndpointError("the server is gone"), KeyboardInterrupt()])
def test_answers_under_way_are_kept_when_something_ends_the_run(navigation: Navigation, failure: BaseException) -> None:
    def asked(model: Elsewhere, out: str = "runs") -> Result:
        return evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / out)

    ended, rest = Elsewhere(failure), Elsewhere()
    with pytest.raises(type(failure)):
        asked(ended)
    # Although the failure, which is still known here, knows where it came from.
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("egobench-decode")]
    (file,) = navigation.root.glob("runs/elsewhere/*/predictions/*")
    held = [json.loads(line)["outcome"] for line in file.read_text().splitlines()]
    # Four were under way, and one of them failed or an interruption came; no other was begun.
    lost = isinstance(failure, EndpointError)
    assert (held, ended.asked) == (["answered"] * (4 - lost), 4)
    scores = asked(rest).path / "scores.json"
    assert rest.asked == 8 + lost
    # Whatever came first, the scores are those of a run that nothing ended.
    assert scores.read_bytes() == (asked(Elsewhere(), "whole").path / "scores.json").read_bytes()


def test_answers_that_never_come_are_not_waited_for_when_a_run_is_interrupted(
    navigation: Navigation, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = Event()

    class Hangs(Elsewhere):
        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            if self._together.wait() == 0:
                pthread_kill(main_thread().ident or 0, SIGINT)
            never.wait(60)
            return [Reply("A") for _ in prompts]

    monkeypatch.setattr("egobench.loop.concurrent.LAST_SECONDS", 0.5)
    started = monotonic()
    with pytest.raises(KeyboardInterrupt):
        evaluate(Hangs(), [navigation.sample_set], navigation.videos, navigation.root / "runs")
    never.set()
    assert monotonic() - started < 10
