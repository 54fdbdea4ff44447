"""Nothing but the video tells the answers: strategies that look at the text alone stay at chance, exactly."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from egobench.annotations import Annotations
from egobench.plugins import load_task
from egobench.sample import Record

OFFICIAL = ("egoschema", "qaego4d", "egoplan", "vln-qa", "egomcq")
Strategy = Callable[[str, Sequence[str]], str]


def _records(written: Path, task: str) -> list[Record]:
    return [record for record in load_task(task).read(Annotations(written / "annotations" / task)) if record.options]


def _words(text: str) -> set[str]:
    return set(text.lower().strip("?.").split())


def _longest(_: str, options: Sequence[str]) -> str:
    return max(options, key=lambda option: (len(option), option))


def _shortest(_: str, options: Sequence[str]) -> str:
    return min(options, key=lambda option: (len(option), option))


def _overlapping(question: str, options: Sequence[str]) -> str:
    return max(options, key=lambda option: (len(_words(option) & _words(question)), option))


def _central(_: str, options: Sequence[str]) -> str:
    return max(options, key=lambda option: (sum(len(_words(option) & _words(other)) for other in options), option))


@pytest.mark.parametrize("task", OFFICIAL)
@pytest.mark.parametrize("strategy", [_longest, _shortest, _overlapping, _central])
def test_a_function_of_the_text_is_right_once_an_option_set(written: Path, task: str, strategy: Strategy) -> None:
    for subset, records in _by_subset(_records(written, task)).items():
        right = sum(strategy(record.question, record.options) == record.answer for record in records)
        assert right * len(records[0].options) == len(records), subset


@pytest.mark.parametrize("task", OFFICIAL)
def test_the_most_frequent_answer_is_no_better_than_any_other(written: Path, task: str) -> None:
    for subset, records in _by_subset(_records(written, task)).items():
        counts = Counter(record.answer for record in records)
        right = sum(
            max(record.options, key=lambda option: (counts[option], option)) == record.answer for record in records
        )
        assert right * len(records[0].options) == len(records), subset


@pytest.mark.parametrize("task", ["egoschema", "egoplan", "vln-qa", "egomcq"])
def test_every_position_is_right_equally_often(written: Path, task: str) -> None:
    for subset, records in _by_subset(_records(written, task)).items():
        positions = Counter(record.target for record in records)
        assert set(positions.values()) == {len(records) // len(records[0].options)}, subset


@pytest.mark.parametrize("task", OFFICIAL)
def test_options_differ_and_hold_the_answer_once(written: Path, task: str) -> None:
    for record in _records(written, task):
        assert len({option.lower() for option in record.options}) == len(record.options)
        assert record.options.count(record.answer) == 1


@pytest.mark.parametrize("split", ["direct", "indirect"])
def test_egotaskqa_says_yes_as_often_as_no_to_the_same_question(written: Path, split: str) -> None:
    rows: list[dict[str, Any]] = json.loads((written / "annotations/egotaskqa" / split / "test_qas.json").read_text())
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        answers[row["question"]][row["answer"]] += 1
    verify = [row for row in rows if row["structural"] == "verify"]
    assert 0.3 <= len(verify) / len(rows) <= 0.5
    assert all(answers[row["question"]]["yes"] == answers[row["question"]]["no"] for row in verify)
    query = {row["question"] for row in rows if row["structural"] == "query"}
    assert all(len(answers[question]) >= 4 for question in query)


def test_the_narrations_of_egoplan_name_no_option(written: Path) -> None:
    rows: list[dict[str, Any]] = json.loads((written / "annotations/egoplan/EgoPlan_validation.json").read_text())
    for row in rows:
        narrated = {step["narration_text"] for step in row["task_progress_metadata"]}
        assert narrated
        assert not narrated & {row[f"choice_{letter}"] for letter in "abcd"}


def _by_subset(records: Sequence[Record]) -> dict[str, list[Record]]:
    parts: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        parts[record.subset].append(record)
    return dict(parts)
