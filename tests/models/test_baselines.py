"""The models that look at nothing: what they pick, and that every method gets the same pick."""

from __future__ import annotations

from collections import Counter
from math import exp, log

import pytest

from egobench.errors import ModelOptionError
from egobench.model import Model, OptionScores, Prompt, ScoresOptions
from egobench.plugins import load_model
from egobench.prompts import LETTERS
from tests.models.prompts import ask

BASELINES = ("first-choice", "random", "text-prior")


def scores(model: Model, prompt: Prompt) -> OptionScores:
    """The letter scores of one prompt."""
    assert isinstance(model, ScoresOptions)
    (found,) = model.score_options([prompt], "letter")
    return found


def picks(model: Model, options: tuple[str, ...], question: str = "Which?", *, seeds: int = 1) -> list[str]:
    """The option picked under each of some seeds."""
    prompts = [ask(count=0, options=options, question=question, seed=seed) for seed in range(seeds)]
    return [options[LETTERS.index(reply.text)] for reply in model.generate(prompts)]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_asks_for_no_frames(name: str) -> None:
    assert load_model(name).info.frames.count == 0


def test_first_choice_answers_a() -> None:
    assert picks(load_model("first-choice"), ("x", "y", "z")) == ["x"]


def test_first_choice_scores_fall_with_the_position() -> None:
    # Shares 3, 2, 1 of 6, by hand.
    found = scores(load_model("first-choice"), ask(options=("x", "y", "z")))
    assert found.logprobs == pytest.approx([log(3 / 6), log(2 / 6), log(1 / 6)])
    assert found.tokens == (1, 1, 1)


@pytest.mark.parametrize("name", BASELINES)
def test_the_likeliest_option_is_the_one_it_answers_with(name: str) -> None:
    model = load_model(name)
    for seed in range(20):
        found = scores(model, ask(count=0, seed=seed))
        (reply,) = model.generate([ask(count=0, seed=seed)])
        assert LETTERS[found.logprobs.index(max(found.logprobs))] == reply.text
        assert sum(map(exp, found.logprobs)) == pytest.approx(1)


def test_random_gives_the_same_answer_to_the_same_seed() -> None:
    options = tuple("abcdefgh")
    assert picks(load_model("random"), options, seeds=50) == picks(load_model("random"), options, seeds=50)


def test_random_with_another_seed_draws_others_and_says_so() -> None:
    one, two = load_model("random", seed=0), load_model("random", seed="1")
    options = tuple("abcdefgh")
    assert picks(one, options, seeds=50) != picks(two, options, seeds=50)
    assert (one.info.settings, two.info.settings) == ({"seed": 0}, {"seed": 1})


def test_random_takes_every_option_equally_often() -> None:
    # Chi-squared with 3 degrees of freedom: 16.27 is exceeded with probability 0.001 (tables).
    counts = Counter(picks(load_model("random"), ("a", "b", "c", "d"), seeds=2000))
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 16.27


def test_random_may_be_shown_frames() -> None:
    assert load_model("random", frames="16").info.frames.count == 16


def test_a_negative_number_of_frames_is_refused() -> None:
    with pytest.raises(ModelOptionError, match="'frames': -1; expected at least 0"):
        load_model("random", frames=-1)


def test_a_wrong_option_lists_the_right_ones() -> None:
    with pytest.raises(ModelOptionError, match=r"no option 'sed'; its options are seed: int, frames: int"):
        load_model("random", sed=1)


def test_text_prior_picks_the_centre_of_the_options() -> None:
    # "cut the onion" shares words with each of the others, which share none among themselves but "the" and "cut".
    options = ("peel the onion", "cut the bread", "cut the onion", "wash hands")
    assert picks(load_model("text-prior"), options) == ["cut the onion"]


def test_text_prior_breaks_ties_by_the_question() -> None:
    options = ("apple", "knife", "towel")
    assert picks(load_model("text-prior"), options, "Where was the knife?", seeds=5) == ["knife"] * 5


def test_text_prior_breaks_other_ties_by_the_seed() -> None:
    assert set(picks(load_model("text-prior"), ("yes", "no"), seeds=40)) == {"yes", "no"}


def test_text_prior_is_blind_to_the_order_of_the_options() -> None:
    options = ("take the cup", "take the big cup", "take the cup from the shelf", "open the drawer")
    turned = options[2:] + options[:2]
    assert picks(load_model("text-prior"), options) == picks(load_model("text-prior"), turned)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where did I put the red mug before I left?", "red mug"),
        ("What is in the fridge?", "fridge"),
        ("Did I leave my keys on the kitchen table?", "kitchen table"),
        ("Who called?", "called"),
        ("?", "unknown"),
    ],
)
def test_text_prior_answers_an_open_question_with_its_last_noun_phrase(question: str, answer: str) -> None:
    (reply,) = load_model("text-prior").generate([ask(count=0, options=(), question=question)])
    assert reply.text == answer


@pytest.mark.parametrize("name", ["first-choice", "random"])
def test_the_others_answer_an_open_question_with_unknown(name: str) -> None:
    (reply,) = load_model(name).generate([ask(count=0, options=())])
    assert reply.text == "unknown"
