"""Attacks that learn from other clusters: what they find in sets that leak, and what they must not know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from random import Random

import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.audit import ELIMINATION, Audit, audit, audit_set, draw_embedded
from egobench.dataset.build import build
from egobench.distractors import attacks
from egobench.distractors.lookups import templates
from egobench.distractors.nearest import nearest_rows
from egobench.plugins import load_task
from egobench.sample import Sample
from egobench.task import Truth
from tests.conftest import NoEmbedder

pytestmark = pytest.mark.skipif(find_spec("sklearn") is None, reason="the extra [distractors] is not installed")


class Words:
    """Embeds a text as the sum of a random direction for each of its words."""

    name = "words"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.stack([np.sum([self._direction(word) for word in text.lower().split()], axis=0) for text in texts])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _direction(self, word: str) -> np.ndarray:
        return np.random.default_rng(int.from_bytes(sha256(word.encode()).digest()[:4])).normal(size=64)


def sample(number: int, question: str, options: Sequence[str], target: int, cluster: object) -> Sample:
    return Sample(
        str(number), "toy", "all", "v.mp4", 0.0, None, question, tuple(options), target, options[target], None,
        str(cluster), {},
    )  # fmt: skip


def audited(samples: Sequence[Sample]) -> Audit:
    (set_audit,) = audit(samples, Truth(), Words())
    return set_audit


def shuffled(right: str, wrong: Sequence[str], rng: Random) -> tuple[list[str], int]:
    options = [right, *wrong]
    rng.shuffle(options)
    return options, options.index(right)


def test_options_that_follow_from_the_answer_give_it_away_to_whoever_has_seen_them_elsewhere(tmp_path: Path) -> None:
    """The flat EgoTaskQA file in small: wrong options are a function of the answer, so a set has one possible answer.

    By hand: 40 answers on a ring, each with the four that follow; yes and no with four of their own. Every set comes
    in at least two recordings, so who remembers sets is right always. Among its options an answer is never alone.
    """
    rng, answers = Random(0), [f"state {number}" for number in range(40)]
    wrong = {answer: [answers[(number + step) % 40] for step in range(1, 5)] for number, answer in enumerate(answers)}
    wrong |= {"yes": ["no", "Close sink", "edible", "poweredness"], "no": ["yes", "closed", "diced", "emptiness"]}
    rows: list[dict[str, object]] = []
    for number in range(420):
        answer = list(wrong)[number % 42]
        options, target = shuffled(answer, wrong[answer], rng)
        interval = f"rec{number % 30}|P1|{number}|{number + 9}"
        row = {"q": f"What about case {number}?", "video_path": f"{interval}.mp4", "a": "ABCDE"[target]}
        rows.append({**row, "option": dict(zip("ABCDE", options, strict=True))})
    (tmp_path / "egotaskqa.json").write_text(json.dumps(rows))
    built = build(load_task("egotaskqa"), Annotations(tmp_path), NoEmbedder())
    audited = audit_set(built, Words())
    (set_audit,) = audited.audits
    assert set_audit.trained_attacks["option sets"] == 1.0
    assert set_audit.blind < 0.6
    manifest = audited.sample_set.manifest
    assert (manifest.blind, manifest.blind_trained) == ({"direct": set_audit.blind}, {"direct": 1.0})
    assert manifest.blind_left_out == ()
    assert manifest.samples_sha256 == built.manifest.samples_sha256


def test_a_template_that_decides_yes_or_no_is_found_behind_words_that_change() -> None:
    """By hand: "did" questions are answered yes, "was" questions no; the thing is another each time."""
    questions = [(f"did the thing{number} change", f"was the thing{number} still")[number % 2] for number in range(200)]
    assert set(templates(questions)) == {"did the _ change", "was the _ still"}
    samples = [sample(n, question, ["no", "yes"], 1 - n % 2, n % 20) for n, question in enumerate(questions)]
    set_audit = audited(samples)
    assert set_audit.trained_attacks["question templates"] == 1.0
    assert set_audit.blind == 0.5


def test_an_option_that_repeats_the_question_is_learned() -> None:
    rng = Random(1)
    samples: list[Sample] = []
    for number in range(400):
        things = [f"w{thing}" for thing in rng.sample(range(1000, 9999), 4)]
        options, target = shuffled(f"it is {things[0]}", [f"it is {thing}" for thing in things[1:]], rng)
        samples.append(sample(number, f"where did {things[0]} go", options, target, number % 40))
    set_audit = audited(samples)
    assert set_audit.trained_attacks["learned with question"] >= 0.99
    # 400 samples: a standard error of 2.2 points.
    assert set_audit.blind < 0.25 + 0.09


def groups(n_groups: int, size: int) -> list[Sample]:
    """Shared option sets whose samples are of different clusters."""
    rng = Random(2)
    samples: list[Sample] = []
    for group in range(n_groups):
        answers = [f"act{rng.randrange(60)} on x{group}-{place}" for place in range(size)]
        for place, answer in enumerate(answers):
            options, target = shuffled(answer, answers[:place] + answers[place + 1 :], rng)
            samples.append(sample(len(samples), "what happens", options, target, rng.randrange(50)))
    return samples


def test_of_shared_option_sets_nothing_is_known_by_elimination() -> None:
    set_audit = audited(groups(160, 5))
    assert set_audit.left_out == (ELIMINATION,)
    # Of 800 samples a standard error of 1.4 points; what was right elsewhere is wrong here.
    assert set_audit.blind_trained <= 0.2 + 0.05
    assert all(set_audit.trained_attacks[name] <= 0.2 for name in ("option texts", "option sets", "questions"))


def test_what_is_known_of_a_samples_own_cluster_is_not_used() -> None:
    """By hand: each option set comes twice, always in one cluster, so nobody has seen it elsewhere."""
    texts = [[f"a{n}", f"b{n}", f"c{n}", f"d{n}"] for n in range(60)]
    samples = [sample(n, f"case {n // 2}", texts[n // 2], 2, n // 2) for n in range(120)]
    attacks = audited(samples).trained_attacks
    assert attacks["option sets"] == attacks["questions"] == attacks["option texts"] == 0.25


def test_of_a_large_set_whole_option_sets_are_drawn_in_the_order_of_the_samples() -> None:
    samples = groups(160, 5)
    part = draw_embedded(samples, 100)
    assert len(part) == 100  # 20 sets of five texts and five samples
    assert len({frozenset(sample.options) for sample in part}) == 20
    assert [sample.id for sample in samples if sample in part] == [sample.id for sample in part]
    assert draw_embedded(samples[::-1], 100) == part[::-1]
    assert draw_embedded(samples, 800) == samples


def test_of_many_questions_about_one_option_set_as_many_are_drawn_as_may_be_embedded() -> None:
    samples = [
        sample(number, f"which way, {number // 2}?", ["left", "right"], number % 2, number) for number in range(90)
    ]
    part = draw_embedded(samples, 20)
    assert len({one.question for one in part}) == 20
    assert draw_embedded(samples[::-1], 20) == part[::-1]
    assert draw_embedded(samples, 45) == samples


def test_no_shared_option_set_is_drawn_in_part() -> None:
    part = draw_embedded(groups(160, 5), 103)
    assert len(part) == 100


def test_neighbours_are_looked_for_once_a_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    search = nearest_rows

    def counted(queries: np.ndarray, vectors: np.ndarray, count: int) -> np.ndarray:
        searches.append(len(queries))
        return search(queries, vectors, count)

    monkeypatch.setattr(attacks, "nearest_rows", counted)
    audited(groups(30, 4))
    assert len(searches) == 1


def test_the_same_set_gives_the_same_figures() -> None:
    samples = groups(30, 4)
    assert audited(samples) == audited(samples)
