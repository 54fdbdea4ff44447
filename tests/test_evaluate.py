"""The loop, from videos on disk to scores, with a model that answers by what it sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from egobench.errors import ModelError
from egobench.evaluate import Result, evaluate
from egobench.model import ModelInfo, OptionForm, OptionScores, Prompt, Reply
from egobench.plugins import load_model
from egobench.run.spec import Settings
from egobench.scoring.entry import OptionPositions
from egobench.scoring.score import coverage
from tests.conftest import ANSWERS, Navigation

ID = "vln-qa/all/mcq/official/acc/generate"


class Eyes:
    """Names the option whose colour the frames have, by its letter; says so when it is shown nothing."""

    info = ModelInfo("eyes", "1")

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        self.asked += prompts
        return [Reply("ABCD"[int(np.argmax(self._scores(prompt)))]) if len(prompt.frames) else Reply("I cannot see.")
                for prompt in prompts]  # fmt: skip

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> Sequence[OptionScores]:
        return [OptionScores(tuple(self._scores(prompt)), (1 if form == "letter" else 2,) * 4) for prompt in prompts]

    def _scores(self, prompt: Prompt) -> list[float]:
        seen = prompt.frames[0].mean(axis=(0, 1))
        colours = dict(ANSWERS.values())
        return [-float(np.abs(seen - colours[option]).sum()) for option in prompt.options]


def run(world: Navigation, model: object, out: str = "runs", **settings: object) -> Result:
    assert isinstance(model, Eyes)
    return evaluate(model, [world.sample_set], world.videos, world.root / out, Settings(**settings))  # type: ignore[arg-type]


def predictions(result: Result) -> list[dict[str, object]]:
    (file,) = (result.path / "predictions").iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_model_that_sees_the_right_clips_is_always_right(navigation: Navigation) -> None:
    model = Eyes()
    entry = run(navigation, model).scores[ID]
    assert (entry.value, entry.n, entry.n_expected, entry.partial) == (1.0, 12, 12, False)
    assert entry.outcomes["answered"] == 12
    assert entry.chance == pytest.approx(0.25)
    assert {prompt.frames.shape for prompt in model.asked} == {(16, 48, 64, 3)}
    # 24 frames at 12 a second: 2 seconds, so midpoints at 1/16 + i/8 s show frames 0, 2, 3, 5, ... (by hand).
    assert model.asked[0].times[:4].tolist() == pytest.approx([0 / 12, 2 / 12, 3 / 12, 5 / 12])


@pytest.mark.parametrize("method", ["likelihood-letter", "likelihood-sum", "likelihood-mean"])
def test_scores_of_options_are_used_as_they_are(navigation: Navigation, method: str) -> None:
    result = run(navigation, Eyes(), method=method)
    assert result.scores[f"vln-qa/all/mcq/official/acc/{method}"].value == 1.0
    rows = predictions(result)
    assert all(row["reply"] == "" and row["rule"] == method for row in rows)
    halved = 2 if method == "likelihood-mean" else 1
    top = max(rows[0]["scores"])  # type: ignore[call-overload]
    assert -24 / halved < top <= 0


def test_a_model_that_cannot_score_options_is_told_so_before_anything_is_written(navigation: Navigation) -> None:
    class Words:
        info = ModelInfo("words", "1")

        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            return [Reply("A")] * len(prompts)

    with pytest.raises(ModelError, match="use --method generate"):
        evaluate(Words(), [navigation.sample_set], navigation.videos, navigation.root / "r", Settings("likelihood-sum"))
    assert not (navigation.root / "r").exists()


def test_every_answer_has_a_receipt_of_the_frames_it_was_given_for(navigation: Navigation) -> None:
    for row in predictions(run(navigation, Eyes())):
        receipt = row["receipt"]
        assert isinstance(receipt, dict)
        assert len(receipt["times"]) == len(receipt["indices"]) == 16
        assert (receipt["width"], receipt["height"]) == (64, 48)
        assert len(receipt["sha256"]) == 64
        assert row["video"]


def test_a_blind_model_sees_no_frame_and_refusals_are_counted(navigation: Navigation) -> None:
    model = Eyes()
    entry = run(navigation, model, control="blind").scores[ID + "/blind"]
    assert {prompt.frames.shape[0] for prompt in model.asked} == {0}
    assert (entry.value, entry.outcomes["refused"]) == (0.0, 12)


def test_with_other_videos_the_same_model_is_wrong_where_the_answers_differ(navigation: Navigation) -> None:
    model = Eyes()
    entry = run(navigation, model, control="other-video").scores[ID + "/other-video"]
    assert entry.n == 12
    assert entry.value is not None
    assert entry.value < 0.6


def test_missing_empty_and_broken_videos_are_media_errors_and_are_tried_again(navigation: Navigation) -> None:
    kept = {number: navigation.video(number).read_bytes() for number in (0, 1, 2)}
    navigation.video(0).unlink()
    navigation.video(1).write_bytes(b"")
    navigation.video(2).write_bytes(kept[2][: len(kept[2]) // 2])
    model = Eyes()
    first = run(navigation, model)
    assert first.scores[ID].outcomes == {
        "answered": 9, "unparsed": 0, "refused": 0, "media_error": 3, "request_error": 0
    }  # fmt: skip
    assert first.scores[ID].value == pytest.approx(9 / 12)
    assert first.scores[ID].answered_only == 1.0
    assert len(model.asked) == 9
    for number, content in kept.items():
        navigation.video(number).write_bytes(content)
    again = Eyes()
    second = run(navigation, again)
    assert second.path == first.path
    assert len(again.asked) == 3
    assert second.scores[ID].value == 1.0


def test_an_answer_is_asked_for_again_when_its_video_has_changed(navigation: Navigation) -> None:
    run(navigation, Eyes())
    copyfile(navigation.video(1), navigation.video(0))
    model = Eyes()
    assert run(navigation, model).scores[ID].value == pytest.approx(11 / 12)
    assert len(model.asked) == 1


def test_an_answer_stays_when_its_video_has_gone(navigation: Navigation) -> None:
    run(navigation, Eyes())
    navigation.video(0).unlink()
    model = Eyes()
    assert run(navigation, model).scores[ID].value == 1.0
    assert model.asked == []


def test_batches_threads_and_interruptions_do_not_change_a_byte_of_the_scores(navigation: Navigation) -> None:
    class Stumbles(Eyes):
        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            if len(self.asked) >= 5:
                raise RuntimeError("out of luck")
            return super().generate(prompts)

    whole = run(navigation, Eyes())
    plain = (whole.path / "scores.json").read_bytes()
    with pytest.raises(RuntimeError, match="out of luck"):
        run(navigation, Stumbles(), out="again", batch_size=2, workers=2)
    model = Eyes()
    resumed = run(navigation, model, out="again", batch_size=5, workers=2)
    assert (resumed.path / "scores.json").read_bytes() == plain
    assert len(model.asked) == 12 - 6


def test_a_limit_marks_the_numbers_as_partial(navigation: Navigation) -> None:
    entry = run(navigation, Eyes(), limit=4).scores[ID]
    assert (entry.n, entry.n_expected, entry.partial) == (4, 12, True)


def test_a_request_that_failed_is_no_answer_and_is_asked_again(navigation: Navigation) -> None:
    class Busy(Eyes):
        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            return [Reply("A", error="429 too many requests")] * len(prompts)

    entry = run(navigation, Busy()).scores[ID]
    assert (entry.outcomes["request_error"], entry.value, entry.answered_only) == (12, 0.0, None)
    assert run(navigation, Eyes()).scores[ID].value == 1.0


def test_prompts_hold_nothing_that_names_the_sample(navigation: Navigation) -> None:
    model = Eyes()
    run(navigation, model)
    for prompt in model.asked:
        said = " ".join([prompt.system, prompt.question, prompt.text])
        assert not any(word in said for word in ("_frame", "mp4", "left/"))


def test_built_in_models_need_no_video(navigation: Navigation, tmp_path: Path) -> None:
    result = evaluate(load_model("first-choice"), [navigation.sample_set], tmp_path / "none", tmp_path / "runs")
    # Options are turned by number % 3, so A is "left", "forward", "stop" in turn; by hand it is right 3 times in 12.
    assert result.scores[ID].value == pytest.approx(3 / 12)


class First(Eyes):
    """Says the first letter, whatever it sees."""

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        self.asked += prompts
        return [Reply("A")] * len(prompts)


def test_a_model_that_sees_is_right_in_every_order_and_has_no_position_bias(navigation: Navigation) -> None:
    model = Eyes()
    result = run(navigation, model, orders=4)
    assert result.scores[ID].value == 1.0
    every = result.scores["vln-qa/all/mcq/official/circular4/generate"]
    assert (every.value, every.n) == (1.0, 12)
    assert every.chance == pytest.approx(0.25**4)
    assert result.scores["vln-qa/all/mcq/official/position_bias4/generate"].value == 0
    assert len(model.asked) == 4 * 12
    assert len({prompt.options for prompt in model.asked if prompt.question == model.asked[0].question}) >= 4
    assert sorted({row["order"] for row in predictions(result)}) == [0, 1, 2, 3]  # type: ignore[type-var]


def test_a_model_that_always_says_a_is_found_out(navigation: Navigation) -> None:
    plain, scores = run(navigation, First()).scores[ID], run(navigation, First(), orders=4).scores
    assert scores[ID].value == plain.value
    assert scores["vln-qa/all/mcq/official/circular4/generate"].value == 0
    # By hand: in four orders the right option stands a quarter of the time first; all answers stand there.
    bias = scores["vln-qa/all/mcq/official/position_bias4/generate"]
    assert bias.value == pytest.approx(3 / 4)
    assert bias.positions == OptionPositions(chosen=(1, 0, 0, 0), right=(0.25,) * 4)


def test_only_the_orders_that_have_no_answer_are_asked_again(navigation: Navigation) -> None:
    class Stumbles(Eyes):
        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            if len(self.asked) >= 30:
                raise RuntimeError("out of luck")
            return super().generate(prompts)

    whole = run(navigation, Eyes(), orders=4)
    with pytest.raises(RuntimeError, match="out of luck"):
        run(navigation, Stumbles(), out="again", orders=4)
    model = Eyes()
    resumed = run(navigation, model, out="again", orders=4)
    assert len(model.asked) == 48 - 30
    assert (resumed.path / "scores.json").read_bytes() == (whole.path / "scores.json").read_bytes()


def test_a_request_that_failed_in_one_order_counts_against_circular_accuracy_and_coverage(
    navigation: Navigation,
) -> None:
    class Busy(Eyes):
        def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
            replies = super().generate(prompts)
            return replies if len(self.asked) % 4 else [Reply("", error="429 too many requests")]

    scores = run(navigation, Busy(), orders=2).scores
    entry = scores["vln-qa/all/mcq/official/circular2/generate"]
    # Every fourth question is the second order of every second sample.
    assert (entry.outcomes["request_error"], scores[ID].outcomes["request_error"]) == (6, 0)
    assert entry.value == pytest.approx(6 / 12)
    assert coverage(scores.values()) < 1


class Fixed(Eyes):
    """Gives the same log-probabilities to the options of every prompt."""

    def __init__(self, logprobs: Sequence[float], tokens: Sequence[int]) -> None:
        super().__init__()
        self.given = OptionScores(tuple(logprobs), tuple(tokens))
        self.forms: set[OptionForm] = set()

    def score_options(self, prompts: Sequence[Prompt], form: OptionForm) -> Sequence[OptionScores]:
        self.forms.add(form)
        return [self.given] * len(prompts)


def test_scores_that_are_no_numbers_are_no_answers(navigation: Navigation) -> None:
    result = run(navigation, Fixed((float("nan"), -1, -2, -3), (1, 1, 1, 1)), method="likelihood-sum")
    entry = result.scores["vln-qa/all/mcq/official/acc/likelihood-sum"]
    assert (entry.outcomes["request_error"], entry.value) == (12, 0.0)
    assert "a score is not a number" in str(predictions(result)[0]["error"])


def test_too_few_scores_are_a_mistake_of_the_model_adapter(navigation: Navigation) -> None:
    with pytest.raises(ModelError, match="2 scores and 2 token counts for 4 options"):
        run(navigation, Fixed((-1, -2), (1, 1)), method="likelihood-sum")


def test_likelihood_mean_is_the_log_probability_a_token(navigation: Navigation) -> None:
    """EgoPlan's official rule. By hand: means -3, -2, -4, -2.5 and sums -3, -8, -4, -5, so another option wins."""
    model = Fixed((-3, -8, -4, -5), (1, 4, 1, 2))
    mean = predictions(run(navigation, model, method="likelihood-mean"))
    assert model.forms == {"text"}
    assert {(str(row["scores"]), row["choice"]) for row in mean} == {("[-3.0, -2.0, -4.0, -2.5]", 1)}
    assert {row["choice"] for row in predictions(run(navigation, model, method="likelihood-sum"))} == {0}


def test_tied_scores_choose_nothing_and_share_the_credit(navigation: Navigation) -> None:
    result = run(navigation, Fixed((-1, -1, -1, -1), (1, 1, 1, 1)), method="likelihood-sum")
    assert result.scores["vln-qa/all/mcq/official/acc/likelihood-sum"].value == pytest.approx(1 / 4)
    assert {row["choice"] for row in predictions(result)} == {None}


def test_frames_by_rate_make_another_run_and_a_fixed_number_keeps_its_id(navigation: Navigation) -> None:
    model, fixed = Eyes(), run(navigation, Eyes())
    by_rate = run(navigation, model, fps=2.0)
    # By hand: two seconds of video at two frames per second.
    assert {len(prompt.frames) for prompt in model.asked} == {4}
    assert by_rate.path != fixed.path
    spec = json.loads((fixed.path / "run.json").read_text())["spec"]
    assert spec["frames"]["vln-qa"].keys() == {"count", "last", "short_side", "min_seconds"}
    assert json.loads((by_rate.path / "run.json").read_text())["spec"]["frames"]["vln-qa"]["fps"] == 2.0
