"""What holds for all of our own tasks."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.metrics import MeanMetric, SetMetric
from egobench.plugins import load_task
from egobench.task import Task
from tests.tasks.official_files import OFFICIAL, write

FOLDER = Path(__file__).parents[2] / "tasks"
NAMES = sorted(path.stem.replace("_", "-") for path in FOLDER.glob("[a-z]*.py"))

HEADLINES = {
    "charades-ego/all/mcq/paper/mAP/generate",
    "egomcq/inter/mcq/paper/acc/generate",
    "egomcq/intra/mcq/paper/acc/generate",
    "egoplan/all/mcq/official/acc/generate",
    "egoschema/all/mcq/official/acc/generate",
    "egotaskqa/direct/mcq/paper/acc/generate",
    "egotaskqa/indirect/mcq/paper/acc/generate",
    "epic-kitchens-mir/all/mcq/paper/mAP/generate",
    "qaego4d/closed/mcq/official/acc/generate",
    "qaego4d/open/open/official/rouge_l/generate",
    "vln-qa/all/mcq/official/acc/generate",
}
"""The ten numbers of the average (PROTOCOL section 2), and QAEgo4D open."""


def protocol_ids(task: Task) -> Iterator[str]:
    for subset in task.subsets:
        yield f"{task.name}/{subset.name}/{subset.protocol}/{task.headline}/{subset.headline}/generate"


def test_there_are_the_eight_tasks_of_the_protocol_and_files_for_each() -> None:
    assert sorted(OFFICIAL) == NAMES
    assert len(NAMES) == 8


def test_the_headlines_are_those_of_the_protocol() -> None:
    assert {name for task in NAMES for name in protocol_ids(load_task(task))} == HEADLINES


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_named_like_its_module(name: str) -> None:
    assert load_task(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_module_says_paper_annotations_licence_and_quirks(name: str) -> None:
    module = sys.modules[load_task(name).read.__module__]
    for word in ("Paper", "Annotations:", "Licence:", "Quirks:"):
        assert word in (module.__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_a_module_reads_top_to_bottom_in_two_hundred_lines(name: str) -> None:
    source = (FOLDER / f"{name.replace('-', '_')}.py").read_text()
    assert len(source.splitlines()) <= 200
    assert source.index("SOURCE = Source(") < source.index("(Row):") < source.index("def read(")
    assert re.search(r"\nTASK = Task\([^\n]*\n(?:    [^\n]*\n)*\)\n\Z", source)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_tells_where_the_data_is_and_under_which_licence(name: str) -> None:
    source = load_task(name).source
    assert source.paper.startswith("https://arxiv.org/abs/")
    assert source.home.startswith("https://")
    assert source.licence
    assert re.search(r"\{\w+\}", source.videos)
    assert all(re.fullmatch(r"[\w./]+\.(json|csv|txt)", file) for file in source.files)
    pins = {**source.files, **source.other_forms}
    assert all(file.content for file in pins.values())
    assert all(re.fullmatch(r"([0-9a-f]{64})?", file.sha256) for file in pins.values())
    assert bool(source.release) == any(file.sha256 for file in pins.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_files_that_are_read_are_the_files_of_the_source(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    annotations = Annotations(write(tmp_path, OFFICIAL[name]()))
    list(task.read(annotations))
    assert sorted(annotations.sources) == sorted(task.source.files)


@pytest.mark.parametrize("name", NAMES)
def test_metrics_of_every_subset_exist_and_fit_its_protocol(name: str) -> None:
    task = load_task(name)
    for subset in task.subsets:
        for metric in (subset.headline, *subset.beside):
            assert isinstance(task.metrics[metric], MeanMetric | SetMetric)
            assert task.metrics[metric].protocol == subset.protocol
    applied = {metric for subset in task.subsets for metric in task.metrics_of(subset)}
    assert applied == set(task.metrics)


@pytest.mark.parametrize("name", NAMES)
def test_constructions_exist_and_the_default_is_official_where_options_are_shipped(name: str) -> None:
    task = load_task(name)
    assert task.headline in task.constructions
    assert task.default_construction == ("official" if "official" in task.constructions else "paper")
    assert all(inspect.isfunction(construct) for construct in task.constructions.values())


@pytest.mark.parametrize("name", NAMES)
def test_records_are_of_the_tasks_subsets_and_know_their_answer(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    records = list(task.read(Annotations(write(tmp_path, OFFICIAL[name]()))))
    assert {record.subset for record in records} == {subset.name for subset in task.subsets}
    for record in records:
        assert record.answer
        assert not record.options or record.options[record.target or 0] == record.answer


@pytest.mark.parametrize("name", NAMES)
def test_equal_files_give_equal_records(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    first = list(task.read(Annotations(write(tmp_path / "first", OFFICIAL[name]()))))
    assert list(task.read(Annotations(write(tmp_path / "second", OFFICIAL[name]())))) == first
