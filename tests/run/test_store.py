"""The run folder: what survives a killed process, a full disk, and another run in the same place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import SpecMismatchError, StoreError
from egobench.run import records
from egobench.run.records import Prediction, PredictionFiles, encode_rows
from egobench.run.spec import RunSpec, SetRef
from egobench.run.store import open_run, read_run

MODEL = {"name": "toy", "revision": "1"}
SPEC = RunSpec(MODEL, (SetRef("egoschema", 1, "official", "0" * 64),), "base@0", {}, "generate", None, None, 0, "0.1.0")
PART = "egoschema.all.mcq.official"


def folder(root: Path) -> Path:
    return root / "toy" / SPEC.id


def test_the_id_is_the_hash_of_the_canonical_spec() -> None:
    assert SPEC.id == sha256(SPEC.canonical().encode()).hexdigest()[:12]
    assert json.loads(SPEC.canonical())["sets"][0]["task"] == "egoschema"


def test_predictions_come_back_and_the_last_line_of_a_sample_counts(tmp_path: Path) -> None:
    with open_run(tmp_path, SPEC, {}) as run:
        run.append(PART, [Prediction("a", "media_error", error="gone"), Prediction("b", "unparsed", reply="hm")])
        run.append(PART, [Prediction("a", "answered", choice=1, scores=(0.0, 1.0))])
    with open_run(tmp_path, SPEC, {}) as run:
        found = run.predictions(PART)
    assert found["a"] == Prediction("a", "answered", choice=1, scores=(0.0, 1.0))
    assert found["b"].reply == "hm"
    assert [found[name].final for name in "ab"] == [True, True]
    assert not Prediction("c", "request_error").final


@pytest.mark.parametrize("broken", ['{"id": "b", "outc', '{"id": "b", "outcome": "answered"}', "\x00\x00\x00"])
def test_a_line_that_a_killed_process_left_unfinished_is_cut_off(tmp_path: Path, broken: str) -> None:
    with open_run(tmp_path, SPEC, {}) as run:
        run.append(PART, [Prediction("a", "answered", choice=0)])
    file = folder(tmp_path) / "predictions" / f"{PART}.main.jsonl"
    with file.open("a") as handle:
        handle.write(broken)
    with open_run(tmp_path, SPEC, {}) as run:
        assert list(run.predictions(PART)) == ["a"]
        run.append(PART, [Prediction("b", "answered", choice=0)])
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["a", "b"]


def test_a_damaged_line_in_the_middle_is_named_by_file_and_line(tmp_path: Path) -> None:
    with open_run(tmp_path, SPEC, {}) as run:
        run.append(PART, [Prediction("a", "answered"), Prediction("b", "answered")])
    file = folder(tmp_path) / "predictions" / f"{PART}.main.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("{oops\n" + lines[1])
    with open_run(tmp_path, SPEC, {}) as run, pytest.raises(StoreError, match=r"main.jsonl, line 1: damaged"):
        run.predictions(PART)


def test_a_folder_that_holds_another_spec_is_refused_and_left_alone(tmp_path: Path) -> None:
    with open_run(tmp_path, SPEC, {}):
        pass
    file = folder(tmp_path) / "run.json"
    held = json.loads(file.read_text())
    held["spec"]["seed"] = 7
    file.write_text(json.dumps(held))
    before = file.read_bytes()
    with pytest.raises(SpecMismatchError, match=r"holds another run: seed differ"), open_run(tmp_path, SPEC, {}):
        pass
    assert file.read_bytes() == before


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with (
        open_run(tmp_path, SPEC, {}),
        pytest.raises(StoreError, match="another process is at work"),
        open_run(tmp_path, SPEC, {}),
    ):
        pass


def test_a_full_disk_is_a_clear_error_and_earlier_predictions_stay(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StoreError, match="No space left on device"), open_run(tmp_path, SPEC, {}) as run:
        run.append("kept", [Prediction("a", "answered")])
        (folder(tmp_path) / "predictions" / f"{PART}.main.jsonl").symlink_to(full)
        run.append(PART, [Prediction("b", "answered")])
    (folder(tmp_path) / "predictions" / f"{PART}.main.jsonl").unlink()
    with open_run(tmp_path, SPEC, {}) as run:
        assert list(run.predictions("kept")) == ["a"]


def test_a_folder_that_cannot_be_written_is_a_clear_error() -> None:
    root = Path("/proc/egobench")
    if not Path("/proc").is_dir():
        pytest.skip("this system has no /proc, where nobody may write")
    with pytest.raises(StoreError, match="cannot write"), open_run(root, SPEC, {}):
        pass


def test_checksums_cover_spec_predictions_and_scores(tmp_path: Path) -> None:
    with open_run(tmp_path, SPEC, {"command": ["x"]}) as run:
        run.append(PART, [Prediction("a", "answered")])
        run.finish({"id": {"value": 1.0}})
    path = folder(tmp_path)
    lines = [line.split("  ") for line in (path / "checksums.txt").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    assert sorted(listed) == [f"predictions/{PART}.main.jsonl", "run.json", "scores.json"]
    assert all(sha256((path / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    spec, recorded = read_run(path)
    assert spec == SPEC
    assert recorded == {"command": ["x"]}


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"model": {"revision": "1"}}, "spec.model.name"),
        ({"model": {"name": ["toy"], "revision": "1"}}, "spec.model.name"),
        ({"frames": {"egoschema": {"count": 0}}}, "spec.frames.egoschema"),
        ({"rerank": {"top": 5}}, "spec.rerank.sha256"),
        ({"seed": "one"}, "spec.seed"),
    ],
)
def test_a_spec_with_a_part_of_another_form_is_refused_by_its_place(
    tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"spec": json.loads(SPEC.canonical()) | change, "recorded": {}}))
    with pytest.raises(StoreError, match=rf"run\.json is of another version of EgoBench: {re.escape(place)}"):
        read_run(tmp_path)


def test_a_file_of_predictions_is_parsed_again_only_after_it_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Path] = []
    read = records.read_rows

    def counted(path: Path, kind: type[Prediction]) -> Iterator[Prediction]:
        parsed.append(path)
        return read(path, kind)

    monkeypatch.setattr(records, "read_rows", counted)
    path, files = tmp_path / "part.main.jsonl", PredictionFiles(tmp_path)
    path.write_bytes(encode_rows([Prediction("first", "answered")]))
    assert files.by_order("part") == files.by_order("part")
    assert len(parsed) == 1
    with path.open("ab") as file:
        file.write(encode_rows([Prediction("second", "answered", order=1)]))
    assert {order: [*by_id] for order, by_id in files.by_order("part").items()} == {0: ["first"], 1: ["second"]}
    assert len(parsed) == 2
