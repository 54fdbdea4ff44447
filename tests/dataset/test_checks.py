"""Sample sets are checked when they are read: what cannot be asked is named with its line and its id."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.errors import SampleSetError
from egobench.metrics.gallery import class_relevancy, labels
from egobench.plugins import load_task
from egobench.sample import Tags
from tests.conftest import Navigation, NoEmbedder
from tests.tasks.official_files import OFFICIAL, write


@pytest.fixture
def folder(navigation: Navigation) -> Path:
    """The folder of a sound sample set."""
    return navigation.data / "vln-qa" / "official"


def rewritten(folder: Path, lines: list[str], **manifest: object) -> Path:
    """The set with other lines, signed as if it had been built so."""
    content = "".join(line + "\n" for line in lines).encode()
    (folder / "samples.jsonl").write_bytes(content)
    described = json.loads((folder / "manifest.json").read_text())
    described |= {"samples_sha256": sha256(content).hexdigest(), **manifest}
    (folder / "manifest.json").write_text(json.dumps(described))
    return folder


def changed(folder: Path, **fields: object) -> Path:
    """The set with other fields in its first sample."""
    lines = (folder / "samples.jsonl").read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), **fields})
    return rewritten(folder, lines)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"target": 4}, "target 4 is the place of none of 4 options"),
        ({"target": -1}, "field 'target'.*greater than or equal to 0, found -1"),
        ({"target": True}, "field 'target'.*found True"),
        ({"target": 1.0}, "field 'target'.*found 1.0"),
        ({"options": ["one"], "target": 0}, "one option is no choice"),
        ({"options": []}, "target . is the place of none of 0 options"),
        ({"options": ["x"] * 27}, "field 'options'.*at most 26 items"),
        ({"options": ["a", 2, "c", "d"]}, r"field 'options\.1'.*found 2"),
        ({"options": "abcd"}, "field 'options'"),
        ({"relevance": [1.0]}, "1 relevances; expected one per option, 4"),
        ({"relevance": [1.0, 2.0, 0, 0]}, r"field 'relevance\.1'.*less than or equal to 1"),
        ({"start": -1.0}, "the clip starts at -1"),
        ({"start": 3.0, "end": 2.0}, "the clip ends at 2"),
        ({"end": "soon"}, "field 'end'"),
        ({"video": "/etc/passwd"}, "'/etc/passwd' is an absolute path"),
        ({"video": "../../secret.mp4"}, "has an empty, . or .. part"),
        ({"video": "a/./b.mp4"}, "has an empty, . or .. part"),
        ({"video": "a//b.mp4"}, "has an empty, . or .. part"),
        ({"video": "a/" + "x" * 256}, "a name of more than 255 bytes"),
        ({"video": "é" * 128}, "a name of more than 255 bytes"),
        ({"video": "a\0b"}, "zero byte"),
        ({"video": ""}, "field 'video'"),
        ({"tags": None}, "field 'tags'"),
        ({"tags": {"a": 3}}, "field 'tags.a"),
        ({"question": None}, "field 'question'"),
        ({"cluster": ""}, "field 'cluster'"),
        ({"more": 1}, "field 'more'.*not permitted"),
        ({"subset": "other"}, "subset 'other' is not one of the manifest's"),
        ({"task": "egoplan"}, "is of task 'egoplan', the manifest of 'vln-qa'"),
    ],
)
def test_a_sample_that_cannot_be_asked_is_named(folder: Path, fields: dict[str, object], problem: str) -> None:
    first = json.loads((folder / "samples.jsonl").read_text().splitlines()[0])["id"]
    with pytest.raises(SampleSetError, match=rf"samples\.jsonl, line 1, sample '{first}'.*{problem}"):
        SampleSet.read(changed(folder, **fields))


def test_a_field_that_is_missing_is_named(folder: Path) -> None:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    del row["tags"]
    with pytest.raises(SampleSetError, match=rf"line 2, sample '{row['id']}', field 'tags'.*Field required"):
        SampleSet.read(rewritten(folder, [lines[0], json.dumps(row)]))


def test_an_id_comes_once_in_a_subset(folder: Path) -> None:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    with pytest.raises(SampleSetError, match=r"line 3, sample '.*': its id comes twice"):
        SampleSet.read(rewritten(folder, [*lines[:2], lines[0]]))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[" * 5000 + "]" * 5000, "line 1.*nested deeper than 100"),
        ('{"id": ' + "1" * 5000 + "}", "line 1.*too many digits"),
        ('{"start": NaN}', "line 1, start: found nan"),
        ('{"id": "a", "id": "b"}', "line 1: the key 'id' comes twice"),
        ("3", "line 1: the sample set is damaged"),
        ("{", "line 1, line 1, column 2: not JSON"),
    ],
)
def test_a_line_that_is_beyond_the_limits_of_json_is_named(folder: Path, line: str, problem: str) -> None:
    with pytest.raises(SampleSetError, match=rf"samples\.jsonl, {problem}"):
        SampleSet.read(rewritten(folder, [line]))


@pytest.mark.parametrize(
    ("member", "twice"),
    [
        ('"start": 0.0', '"start": 0.0, "start": 0.5'),
        ('"cluster": ', '"cluster": "other", "cluster": '),
        ('"tags": {', '"tags": {}, "tags": {'),
        ('"tags": {', '"tags": {"again": "a", "again": ["b", "c"], '),
        ('"tags": {', '"tags": {"again": [], "again": [], '),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_key_that_comes_twice_in_a_sound_line_is_refused(
    folder: Path, member: str, twice: str, escaped: bool
) -> None:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    row = json.loads(lines[0])
    line = json.dumps({**row, "tags": {"kind": "a"}, "start": 0.0, "question": "\u00e9t\u00e9?"}, ensure_ascii=escaped)
    assert SampleSet.read(rewritten(folder, [line])).samples[0].question == "\u00e9t\u00e9?"
    with pytest.raises(SampleSetError, match="comes twice"):
        SampleSet.read(rewritten(folder, [line.replace(member, twice)]))


def test_numbers_beyond_the_limits_are_refused_in_a_sound_line(folder: Path) -> None:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    sound = json.dumps({**json.loads(lines[0]), "start": 7.125, "end": None})
    for number in ("1" + "0" * 19, "1e400", "NaN", "-Infinity"):
        with pytest.raises(SampleSetError, match="line 1"):
            SampleSet.read(rewritten(folder, [sound.replace("7.125", number)]))


def test_a_set_without_samples_is_refused(folder: Path) -> None:
    with pytest.raises(SampleSetError, match="holds no sample"):
        SampleSet.read(rewritten(folder, []))


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({"n": "many"}, "field 'n'"),
        ({"dropped": 3}, "field 'dropped'"),
        ({"chance": {"all/acc": "a quarter"}}, "field 'chance.all/acc'"),
        ({"n_by_subset": {"all": 12, "inter": 1}}, "a subset 'inter' that task 'vln-qa' does not declare"),
    ],
)
def test_a_manifest_that_is_none_is_named_by_its_field(folder: Path, manifest: dict[str, object], problem: str) -> None:
    with pytest.raises(SampleSetError, match=problem):
        SampleSet.read(rewritten(folder, (folder / "samples.jsonl").read_text().splitlines(), **manifest))


def test_a_manifest_nested_too_deep_is_named(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(SampleSetError, match=r"manifest\.json: nested deeper than 100"):
        SampleSet.read(folder)


def test_a_manifest_of_before_is_read(folder: Path) -> None:
    described = json.loads((folder / "manifest.json").read_text())
    for field in ("releases", "co_correct", "gallery_sha256"):
        described.pop(field)
    (folder / "manifest.json").write_text(json.dumps(described))
    assert SampleSet.read(folder).manifest.releases == {}


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """The folder of a sound gallery set."""
    task = load_task("epic-kitchens-mir")
    annotations = Annotations(write(tmp_path / "files", OFFICIAL[task.name]()))
    return build(task, annotations, NoEmbedder(), construction="gallery").write(tmp_path)


def in_gallery(folder: Path, change: Callable[[list[Any]], object]) -> Path:
    """The set with a changed gallery, signed as if it had been built so."""
    texts = json.loads((folder / "gallery.json").read_text())
    change(texts)
    content = json.dumps(texts).encode()
    (folder / "gallery.json").write_bytes(content)
    described = json.loads((folder / "manifest.json").read_text())
    described["gallery_sha256"] = sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(described))
    return folder


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda texts: texts.append(texts[0]), "the id '.*' comes twice"),
        (lambda texts: texts.append(3), r"field '3'"),
        (lambda texts: texts[0].pop("tags"), r"field '0\.tags'"),
        (lambda texts: texts[1].update(text=7), r"field '1\.text'"),
    ],
)
def test_a_gallery_that_is_none_is_named(gallery: Path, change: Callable[[list[Any]], object], problem: str) -> None:
    with pytest.raises(SampleSetError, match=rf"gallery\.json.*{problem}"):
        SampleSet.read(in_gallery(gallery, change))


@pytest.mark.parametrize(
    ("tags", "problem"),
    [({"noun": ("2",)}, "has no tag 'verb'"), ({"verb": "cut", "noun": ("2",)}, "tag 'verb': 'cut' is no class")],
)
def test_a_clip_without_the_tags_of_its_relevance_is_named(gallery: Path, tags: Tags, problem: str) -> None:
    sound = SampleSet.read(gallery)
    bare = replace(sound.samples[0], tags=tags)
    with pytest.raises(SampleSetError, match=rf"'{bare.id}'.*{problem}"):
        class_relevancy([bare], sound.gallery)


def test_a_label_that_is_not_in_the_gallery_is_named(gallery: Path) -> None:
    sound = SampleSet.read(gallery)
    with pytest.raises(SampleSetError, match=r"tag 'noun': '.*' is not in the gallery"):
        labels("noun")(sound.samples, sound.gallery)
