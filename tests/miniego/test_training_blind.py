"""Text alone does not answer the questions to train on: whole option sets and answers are balanced, learned or not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

pytest.importorskip("sklearn")

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from egobench.miniego.official import egotimeqa, openeqa
from egobench.miniego.official.files import Films
from egobench.miniego.world.simulate import TrainingEpisodes
from egobench.statistics.clustered import wilson

FOLDS = 5
Row = dict[str, Any]


@pytest.fixture(scope="module")
def closed(training: TrainingEpisodes, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    out = tmp_path_factory.mktemp("egotimeqa")
    egotimeqa.write(out, training, Random(0), Films(out))
    return [row for row in json.loads((out / "annotations.EgoTimeQA.json").read_text()) if "wrong_answers" in row]


@pytest.fixture(scope="module")
def opened(training: TrainingEpisodes, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    out = tmp_path_factory.mktemp("openeqa")
    openeqa.write(out, training, Random(0), Films(out))
    rows: list[Row] = json.loads((out / "data/open-eqa-v0.json").read_text())
    return rows


def _options(row: Row) -> tuple[str, ...]:
    return tuple(sorted([row["answer"], *row["wrong_answers"]]))


def _vectors(texts: Sequence[str]) -> csr_matrix:
    """Words, pairs and triples of words of each text: ``(n_texts, 2**13)``."""
    words: Any = HashingVectorizer(n_features=1 << 13, ngram_range=(1, 3), alternate_sign=False)
    vectors: csr_matrix = words.transform(texts)
    return vectors


def _folds(keys: Sequence[object]) -> np.ndarray:
    """Fold of each row; rows with equal keys are in one fold, and none is told apart by elimination."""
    fold = {key: number % FOLDS for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([fold[key] for key in keys])


def _chosen_by_a_learner(rows: Sequence[Row]) -> list[str]:
    """Options chosen by logistic regression on question and option, fitted on the other folds of option sets."""
    folds = _folds([(row["question"], _options(row)) for row in rows])
    texts = [f"{option} . {row['question']}" for row in rows for option in _options(row)]
    joint = [f"{option}|{row['question']}".replace(" ", "_") for row in rows for option in _options(row)]
    features = _vectors([f"{text} {word}" for text, word in zip(texts, joint, strict=True)])
    right = np.array([option == row["answer"] for row in rows for option in _options(row)])
    scores = np.zeros(len(right))
    for fold in range(FOLDS):
        inside = np.repeat(folds == fold, 4)
        model = LogisticRegression(max_iter=300).fit(features[~inside], right[~inside])
        scores[inside] = model.decision_function(features[inside])
    best = scores.reshape(-1, 4).argmax(axis=1)
    return [_options(row)[place] for row, place in zip(rows, best, strict=True)]


def _answered_by_a_learner(rows: Sequence[Row]) -> list[str]:
    """Answers predicted by naive Bayes from the question, fitted on the other folds of questions."""
    folds = _folds([row["question"] for row in rows])
    features = _vectors([f"{row['question']} {row['question'].replace(' ', '_')}" for row in rows])
    answers = np.array([row["answer"] for row in rows])
    predicted = np.empty(len(rows), dtype=object)
    for fold in range(FOLDS):
        inside = folds == fold
        model = MultinomialNB(alpha=0.01).fit(features[~inside], answers[~inside])
        predicted[inside] = model.predict(features[inside])
    return list(predicted)


def test_every_option_of_a_closed_set_is_right_as_often_as_the_others(closed: list[Row]) -> None:
    answers: defaultdict[tuple[str, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for row in closed:
        answers[row["question"], _options(row)][row["answer"]] += 1
    assert len(answers) >= 100
    for (_, options), counts in answers.items():
        assert len(options) == len(counts) == 4
        assert len(set(counts.values())) == 1


def test_yes_is_right_as_often_as_no(training: TrainingEpisodes, tmp_path: Path) -> None:
    egotimeqa.write(tmp_path, training, Random(0), Films(tmp_path))
    rows = json.loads((tmp_path / "annotations.EgoTimeQA.json").read_text())
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if "wrong_answers" not in row:
            answers[row["question"]][row["answer"]] += 1
    assert len(answers) >= 10
    assert all(counts["yes"] == counts["no"] and len(counts) == 2 for counts in answers.values())


def test_no_answer_to_an_open_question_is_more_frequent_than_chance(closed: list[Row], opened: list[Row]) -> None:
    for rows in (closed, opened):
        answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            answers[row["question"]][row["answer"]] += 1
        for question, counts in answers.items():
            chance = 1 / 2 if set(counts) == {"yes", "no"} else 1 / 4
            assert max(counts.values()) <= chance * counts.total(), question


def test_a_learned_attack_on_closed_questions_is_at_chance(closed: list[Row]) -> None:
    right = [option == row["answer"] for option, row in zip(_chosen_by_a_learner(closed), closed, strict=True)]
    low, high = wilson(sum(right) / len(right), len(right))
    assert low <= 0.25 <= high


def test_the_learned_attack_finds_a_leak_that_is_there(closed: list[Row]) -> None:
    leaking = [{**row, "answer": f"{row['answer']} indeed"} for row in closed]
    right = [option == row["answer"] for option, row in zip(_chosen_by_a_learner(leaking), leaking, strict=True)]
    assert sum(right) / len(right) > 0.9


def test_a_learned_attack_on_yes_and_no_is_at_chance(opened: list[Row]) -> None:
    rows = [row for row in opened if row["answer"] in {"yes", "no"}]
    right = [answer == row["answer"] for answer, row in zip(_answered_by_a_learner(rows), rows, strict=True)]
    low, high = wilson(sum(right) / len(right), len(right))
    assert low <= 0.5 <= high


@pytest.mark.parametrize("source", ["closed", "doors"])
def test_a_learned_attack_on_open_answers_is_no_better_than_chance(
    closed: list[Row], opened: list[Row], source: str
) -> None:
    rows = closed if source == "closed" else [row for row in opened if "door" in row["question"]]
    right = [answer == row["answer"] for answer, row in zip(_answered_by_a_learner(rows), rows, strict=True)]
    assert wilson(sum(right) / len(right), len(right))[0] <= 0.25
