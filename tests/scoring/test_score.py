"""From predictions to entries of scores.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from egobench.errors import StoreError
from egobench.plugins import load_task
from egobench.run.plan import Part
from egobench.run.records import Prediction
from egobench.run.spec import Settings
from egobench.scoring.entry import by_id
from egobench.scoring.score import coverage, score_part, score_samples_in_orders
from tests.conftest import Navigation

ID = "vln-qa/all/mcq/official/acc/generate"
KINDS = (("state", "query"), ("state",), ("query", "query"), ())


def part(world: Navigation, *, orders: int = 1) -> Part:
    """The first four samples, tagged with :data:`KINDS`."""
    task = replace(load_task("vln-qa"), breakdown=("kind",))
    samples = tuple(
        replace(sample, tags={"kind": kinds}) for sample, kinds in zip(world.sample_set.samples[:4], KINDS, strict=True)
    )
    return Part(task, world.sample_set, task.subsets[0], samples, samples, Settings(orders=orders))


def answers(work: Part, right: str) -> dict[str, Prediction]:
    """A prediction a sample: ``1`` for the right option, ``0`` for another, ``-`` for none."""
    found: dict[str, Prediction] = {}
    for sample, mark in zip(work.samples, right, strict=True):
        assert sample.target is not None
        choice = (sample.target + (mark == "0")) % 4
        scores = tuple(float(position == choice) for position in range(4))
        answered = Prediction(sample.id, "answered", choice=choice, scores=scores)
        found[sample.id] = Prediction(sample.id, "unparsed") if mark == "-" else answered
    return found


def test_a_sample_counts_once_under_each_of_its_tags(navigation: Navigation) -> None:
    work = part(navigation)
    entry = by_id(score_part(work, {0: answers(work, "1011")}, seed=0))[ID]
    by = entry.by["kind"]
    assert list(by) == ["query", "state"]
    assert (by["query"].n, by["query"].value) == (2, 1.0)
    assert (by["state"].n, by["state"].value) == (2, 0.5)
    assert by["state"].chance == pytest.approx(0.25)
    low, high = by["state"].low, by["state"].high
    assert low is not None
    assert high is not None
    assert low < 0.5 < high
    assert entry.value == 0.75


def test_reasoning_types_are_what_egotaskqa_is_broken_down_by() -> None:
    assert "reasoning_type" in load_task("egotaskqa").breakdown


def test_one_private_answer_leaves_the_set_unscored_and_counted(navigation: Navigation) -> None:
    work = part(navigation)
    hidden = (replace(work.samples[0], target=None, answer=""), *work.samples[1:])
    entry = by_id(score_part(replace(work, samples=hidden, selected=hidden), {0: answers(work, "1111")}, seed=0))[ID]
    assert entry.problem == "unscored: the answers of 1 of 4 samples are private; 0 have no reply"
    assert (entry.value, entry.chance, entry.outcomes["answered"]) == (None, None, 4)


def test_a_sample_that_failed_in_one_order_failed(navigation: Navigation) -> None:
    work = part(navigation, orders=2)
    judged = score_samples_in_orders(work.samples, {0: answers(work, "11-1"), 1: answers(work, "1-11")}, 2)
    assert [one.outcome for one in judged] == ["answered", "unparsed", "unparsed", "answered"]
    assert [len(one.turned) for one in judged] == [1, 0, 0, 1]
    # Not yet asked in the second order: left out, not wrong.
    assert score_samples_in_orders(work.samples, {0: answers(work, "1111")}, 2) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"choice": 3}, "choice 3, but its scores choose 0"),
        ({"choice": None}, "choice None, but its scores choose 0"),
        ({"scores": (1.0, 1.0, 0.0, 0.0)}, "choice 0, but its scores choose None"),
        ({"scores": (1.0, 0.0, 0.0)}, "3 scores for 4 options"),
        ({"scores": None}, "an answer and no scores of its options"),
    ],
)
@pytest.mark.parametrize("turn", [0, 1])
def test_a_prediction_that_contradicts_itself_is_refused_in_every_order(
    navigation: Navigation, changes: dict[str, Any], fault: str, turn: int
) -> None:
    work = part(navigation, orders=2)
    honest = {
        sample.id: Prediction(sample.id, "answered", choice=0, scores=(1.0, 0.0, 0.0, 0.0)) for sample in work.samples
    }
    first = work.samples[0].id
    edited = {**honest, first: replace(honest[first], **changes)}
    with pytest.raises(StoreError, match=f"'{first}' has {fault}"):
        list(score_part(work, {0: honest, 1: honest} | {turn: edited}, seed=0))


def test_coverage_counts_a_sample_once_however_many_orders_it_is_asked_in(navigation: Navigation) -> None:
    """By hand: four samples in two orders were all replied to, of four in one order one request failed: 1 - 1/8."""
    in_orders, whole = part(navigation, orders=2), answers(part(navigation), "1011")
    replied = list(score_part(in_orders, {0: whole, 1: whole}, seed=0))
    assert [entry.orders for entry in replied] == [1, 2, 2]
    sample_id = in_orders.samples[2].id
    failed = whole | {sample_id: Prediction(sample_id, "request_error", error="429 too many requests")}
    other = replace(in_orders, subset=replace(in_orders.subset, name="other"), settings=Settings())
    lossy = list(score_part(other, {0: failed}, seed=0))
    assert coverage([*replied, *lossy]) == coverage([*lossy, *reversed(replied)]) == 1 - 1 / 8
    # By hand: one request failed in the second order alone, so three of four samples were replied to in both.
    assert coverage(score_part(in_orders, {0: whole, 1: failed}, seed=0)) == 1 - 1 / 4
