"""What options score without the video, taken off their scores: by hand, in a run, and in what names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from egobench.errors import ModelError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import FramePolicy, ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.run.spec import RunSpec, Settings
from egobench.run.store import read_run
from tests.cli import egobench
from tests.conftest import Navigation

SEEN, BLIND, TOKENS = (-2.0, -3.0, -4.0, -8.0), (-1.0, -4.0, -4.0, -6.0), (1, 2, 4, 1)


class Habits:
    """Scores four options one way with a video and another way without, and notes what it was asked."""

    info = ModelInfo("habits", "1")

    def __init__(self, blind: Sequence[float] = BLIND) -> None:
        self.blind = tuple(blind)
        self.asked: list[tuple[int, OptionForm]] = []
        self.blind_texts: set[str] = set()
        self.seen_texts: set[str] = set()

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply("A") for _ in prompts]

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> Sequence[OptionScores]:
        self.asked.append((len(prompts), form))
        for prompt in prompts:
            (self.seen_texts if len(prompt.frames) else self.blind_texts).add(f"{prompt.system}\n{prompt.text}")
        return [OptionScores(SEEN if len(prompt.frames) else self.blind, TOKENS) for prompt in prompts]


def run(world: Navigation, model: Habits, out: str = "runs", **settings: object) -> Result:
    return evaluate(model, [world.sample_set], world.videos, world.root / out, Settings(**settings))  # type: ignore[arg-type]


def answers(result: Result) -> list[tuple[str, list[float], int | None]]:
    (file,) = (result.path / "predictions").iterdir()
    rows = sorted((json.loads(line) for line in file.read_text().splitlines()), key=lambda row: str(row["id"]))
    return [(row["rule"], row["scores"], row["choice"]) for row in rows]


@pytest.mark.parametrize(
    ("method", "prior", "name", "scores", "choice"),
    [
        # -2 - -1 = -1, -3 - -4 = 1, -4 - -4 = 0, -8 - -6 = -2: B, where the plain scores say A.
        ("likelihood-sum", 1.0, "likelihood-sum-prior1", [-1.0, 1.0, 0.0, -2.0], 1),
        # Half of it: -2 + 0.5, -3 + 2, -4 + 2, -8 + 3.
        ("likelihood-sum", 0.5, "likelihood-sum-prior0.5", [-1.5, -1.0, -2.0, -5.0], 1),
        # Subtracted first, then per token: -1.5 / 1, -1 / 2, -2 / 4, -5 / 1; B and C tie, which chooses none.
        ("likelihood-mean", 0.5, "likelihood-mean-prior0.5", [-1.5, -0.5, -0.5, -5.0], None),
        ("likelihood-letter", 1.0, "likelihood-letter-prior1", [-1.0, 1.0, 0.0, -2.0], 1),
        ("likelihood-sum", 0.0, "likelihood-sum", list(SEEN), 0),
    ],
)
def test_the_score_without_the_video_is_taken_off(
    method: str, prior: float, name: str, scores: list[float], choice: int | None, navigation: Navigation
) -> None:
    model = Habits()
    result = run(navigation, model, method=method, text_prior=prior)
    assert answers(result) == [(name, scores, choice)] * 12
    assert set(result.scores) == {f"vln-qa/all/mcq/official/acc/{name}"}
    # Each prompt twice, word for word the same, and once where there is nothing to take off.
    assert model.asked == [(1, "letter" if "letter" in method else "text")] * (24 if prior else 12)
    assert model.blind_texts == (model.seen_texts if prior else set())


def test_a_batch_is_scored_as_singles_are(navigation: Navigation) -> None:
    single = run(navigation, Habits(), "one", method="likelihood-mean", text_prior=1.0)
    batch = run(navigation, model := Habits(), "five", method="likelihood-mean", text_prior=1.0, batch_size=5)
    assert answers(batch) == answers(single)
    assert [count for count, _ in model.asked] == [5, 5, 5, 5, 2, 2]


def test_a_run_is_scored_again_under_the_same_name(navigation: Navigation) -> None:
    result = run(navigation, Habits(), method="likelihood-sum", text_prior=1.0)
    before = (result.path / "scores.json").read_bytes()
    rescore(result.path, navigation.data)
    assert (result.path / "scores.json").read_bytes() == before


def test_a_plain_run_is_named_as_it_was_before_there_were_text_priors(navigation: Navigation) -> None:
    plain, one, half = (
        read_run(run(navigation, Habits(), method="likelihood-sum", text_prior=prior).path).spec
        for prior in (0.0, 1, 0.5)
    )
    assert "text_prior" not in json.loads(plain.canonical())
    assert json.loads(one.canonical())["text_prior"] == 1.0
    assert len({plain.id, one.id, half.id}) == 3
    assert replace(one, text_prior=0.0) == plain
    # 1 and 1.0 are one run.
    assert RunSpec.canonical(replace(plain, text_prior=1.0)) == one.canonical()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"method": "generate"}, "a reply has no score"),
        ({"method": "likelihood-sum", "control": "blind"}, "this run shows none"),
        ({"method": "likelihood-sum", "frames": 0}, "this run shows none"),
        ({"method": "likelihood-sum", "text_prior": -1.0}, r"text prior -1\.0; expected a finite number, 0 or more"),
        ({"method": "likelihood-sum", "text_prior": float("nan")}, "text prior nan"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    settings: dict[str, Any], problem: str, navigation: Navigation
) -> None:
    with pytest.raises(ValueError, match=problem):
        run(navigation, Habits(), "runs", **{"text_prior": 1.0} | settings)
    assert not (navigation.root / "runs").exists()


def test_a_model_that_looks_at_nothing_has_no_score_with_a_video(navigation: Navigation) -> None:
    model = Habits()
    model.info = ModelInfo("habits", "1", frames=FramePolicy(count=0))
    with pytest.raises(ValueError, match="this run shows none"):
        run(navigation, model, method="likelihood-sum", text_prior=1.0)


def test_as_many_scores_are_needed_without_the_video_as_with_it(navigation: Navigation) -> None:
    with pytest.raises(ModelError, match=r"\[4\] scores with the video and \[2\] without it"):
        run(navigation, Habits(blind=BLIND[:2]), method="likelihood-sum", text_prior=1.0)


def test_an_option_that_is_impossible_without_the_video_alone_has_no_score(navigation: Navigation) -> None:
    # -2 - -inf would be the best score there is.
    result = run(navigation, Habits(blind=(float("-inf"), *BLIND[1:])), method="likelihood-sum", text_prior=1.0)
    (entry,) = result.scores.values()
    assert (entry.outcomes["request_error"], entry.value) == (12, 0.0)


def test_the_command_line_takes_a_text_prior_and_says_when_it_cannot(navigation: Navigation) -> None:
    arguments = ("run", "random", "-o", "frames=4", "--data", navigation.data, "--videos", navigation.videos)
    out = ("--out", navigation.root / "r", "--text-prior", "1", "--json")
    done = egobench(*arguments, *out, "--method", "likelihood-sum")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["scores"]) == ["vln-qa/all/mcq/official/acc/likelihood-sum-prior1"]
    for wrong, problem in (((), "a reply has no score"), (("--control", "blind"), "this run shows none")):
        method = ("--method", "likelihood-sum") if wrong else ()
        done = egobench(*arguments, *out, *method, *wrong)
        assert done.returncode == 2
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
