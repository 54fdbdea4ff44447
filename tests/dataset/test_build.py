"""Building sample sets: what is frozen, and that the same inputs give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet, find_sets
from egobench.errors import AnnotationFileError, BrokenPluginError, SampleSetError
from egobench.metrics.accuracy import accuracy
from egobench.sample import Clip, Record
from egobench.task import Dropped, Options, Source, SourceFile, Subset, Task, Tools
from tests.conftest import Navigation


class Lengths:
    """Embeds a text as its length, which is enough to tell that an embedder was used."""

    name = "lengths@1"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[float(len(text))] for text in texts], np.float32)


def read(annotations: Annotations) -> Iterable[Record]:
    path, _ = annotations.text("toy.txt")
    assert path.name == "toy.txt"
    for number in range(4):
        yield Record(f"r{number}", Clip("v.mp4", number, number + 2.5), "?", f"answer {number}", cluster=f"v{number}")


def drawn(records: Sequence[Record], tools: Tools) -> Iterable[Options | Dropped]:
    tools.embedder([record.answer for record in records])
    tools.report["placed"] = 0.75
    for record in records:
        options = [record.answer, "wrong", "also wrong"]
        tools.rng(record).shuffle(options)
        yield Dropped("odd") if record.id == "r3" else Options(tuple(options), options.index(record.answer))


TOY = Task(
    name="toy",
    version=3,
    skill="toys",
    source=Source("p", "h", "l", {"toy.txt": SourceFile("nothing")}, "v.mp4"),
    read=read,
    constructions={"drawn": drawn},
    metrics={"acc": accuracy},
    subsets=(Subset("all", "mcq", "acc"),),
    cluster="video",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "toy.txt").write_text("toy")
    return tmp_path


def test_the_manifest_says_what_the_set_is_and_what_it_was_made_from(folder: Path) -> None:
    manifest = build(TOY, Annotations(folder), Lengths(), seed=5).manifest
    assert (manifest.task, manifest.task_version, manifest.construction, manifest.seed) == ("toy", 3, "drawn", 5)
    assert (manifest.n, manifest.n_by_subset, manifest.videos, manifest.mean_seconds) == (3, {"all": 3}, 1, 2.5)
    assert manifest.dropped == ({"id": "r3", "reason": "odd"},)
    assert manifest.sources == {"toy.txt": sha256(b"toy").hexdigest()}
    assert manifest.embedder == "lengths@1"
    assert manifest.placed == 0.75
    assert manifest.chance == {"all/acc": pytest.approx(1 / 3)}


def test_the_manifest_says_which_files_are_of_another_release_than_the_pinned_one(folder: Path) -> None:
    def releases(sha: str) -> dict[str, str]:
        pinned = replace(TOY, source=replace(TOY.source, files={"toy.txt": SourceFile("nothing", sha)}))
        return dict(build(pinned, Annotations(folder), Lengths()).manifest.releases)

    assert releases(sha256(b"toy").hexdigest()) == {"toy.txt": "pinned"}
    assert releases(sha256(b"joy").hexdigest()) == {"toy.txt": "another"}
    assert releases("") == {"toy.txt": "unknown"}


def test_the_same_inputs_give_the_same_bytes_and_another_seed_does_not(folder: Path) -> None:
    def written(name: str, seed: int) -> bytes:
        path = build(TOY, Annotations(folder), Lengths(), seed=seed).write(folder / name)
        return (path / "samples.jsonl").read_bytes() + (path / "manifest.json").read_bytes()

    assert written("a", 0) == written("b", 0)
    assert any(written("a", 0) != written("c", seed) for seed in range(1, 5))


def test_options_do_not_depend_on_the_order_of_the_records(folder: Path) -> None:
    turned = replace(TOY, read=lambda annotations: list(read(annotations))[::-1])
    in_order = build(TOY, Annotations(folder), Lengths()).samples
    reversed_records = build(turned, Annotations(folder), Lengths()).samples
    assert {sample.id: sample.options for sample in in_order} == {
        sample.id: sample.options for sample in reversed_records
    }


def test_an_unused_embedder_is_not_in_the_manifest(navigation: Navigation) -> None:
    assert navigation.sample_set.manifest.embedder is None


def test_a_set_comes_back_from_disk_as_it_was(navigation: Navigation) -> None:
    assert SampleSet.read(navigation.data / "vln-qa" / "official") == navigation.sample_set


def test_a_set_that_was_changed_by_hand_is_refused(navigation: Navigation) -> None:
    file = navigation.data / "vln-qa" / "official" / "samples.jsonl"
    file.write_text(file.read_text().replace('"target": 0', '"target": 1'))
    with pytest.raises(SampleSetError, match="was changed; build it again"):
        SampleSet.read(file.parent)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"task": "vln-qa"}'])
def test_a_damaged_manifest_is_named(navigation: Navigation, content: str) -> None:
    folder = navigation.data / "vln-qa" / "official"
    (folder / "manifest.json").write_text(content)
    with pytest.raises(SampleSetError, match="damaged"):
        SampleSet.read(folder)


def test_sets_are_found_by_task_and_construction(navigation: Navigation) -> None:
    here = navigation.data / "vln-qa" / "official"
    assert find_sets(navigation.data) == find_sets(here) == find_sets(navigation.data, ("vln-qa",)) == [here]
    with pytest.raises(SampleSetError, match="no sample set of egoplan; it holds vln-qa"):
        find_sets(navigation.data, ("egoplan",))
    with pytest.raises(SampleSetError, match="any task with the construction 'paper'; it holds vln-qa/official"):
        find_sets(navigation.data, None, "paper")
    with pytest.raises(SampleSetError, match=r"holds no sample set of .*; run egobench build"):
        find_sets(navigation.videos)


def test_a_set_that_is_named_itself_is_still_of_the_task_that_is_asked_for(navigation: Navigation) -> None:
    here = navigation.data / "vln-qa" / "official"
    assert find_sets(here, ("vln-qa",), "official") == [here]
    with pytest.raises(SampleSetError, match="no sample set of egoplan; it holds vln-qa"):
        find_sets(here, ("egoplan",))
    with pytest.raises(SampleSetError, match="with the construction 'paper'; it holds vln-qa/official"):
        find_sets(here, None, "paper")


def test_an_unknown_construction_is_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(ValueError, match="'toy' has no construction 'official'; it has drawn"):
        build(TOY, Annotations(folder), Lengths(), construction="official")


def test_a_record_of_a_subset_that_the_task_does_not_declare_is_named(folder: Path) -> None:
    def with_another(annotations: Annotations) -> Iterable[Record]:
        yield from read(annotations)
        yield Record("r9", Clip("v.mp4"), "?", "answer", cluster="v", subset="hard")

    with pytest.raises(BrokenPluginError, match=r"task 'toy' reads record 'r9' of subset 'hard'.*it declares all"):
        build(replace(TOY, read=with_another), Annotations(folder), Lengths())


def test_a_folder_without_a_usable_record_is_an_error(folder: Path) -> None:
    with pytest.raises(AnnotationFileError, match="no usable record"):
        build(replace(TOY, read=lambda _: []), Annotations(folder), Lengths())
    nowhere = replace(TOY, constructions={"none": lambda records, _: [Dropped("too odd")] * len(records)})
    with pytest.raises(AnnotationFileError, match=r"placed no record; e\.g\. too odd"):
        build(nowhere, Annotations(folder), Lengths())


def test_every_line_of_samples_has_the_contract_of_names(navigation: Navigation) -> None:
    line = (navigation.data / "vln-qa" / "official" / "samples.jsonl").read_text().splitlines()[0]
    assert list(json.loads(line)) == [
        "id", "task", "subset", "video", "start", "end", "question", "options", "target", "answer", "relevance",
        "cluster", "tags",
    ]  # fmt: skip
