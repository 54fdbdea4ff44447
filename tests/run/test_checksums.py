"""Finished runs are signed; what was edited afterwards is named, and refused unless it is accepted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from egobench.errors import ChecksumError, StoreError
from egobench.evaluate import Result, evaluate, rescore
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model
from egobench.run.checksums import FileProblem, verify_run
from tests.conftest import Navigation

LINES = "predictions/vln-qa.all.mcq.official.main.jsonl"


def run(world: Navigation, out: Path | None = None) -> Result:
    recorded = {"data": str(world.data)}
    model = load_model("first-choice")
    return evaluate(model, [world.sample_set], world.videos, out or world.root / "runs", recorded=recorded)


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"reply": "A"', '"reply": "B"', 1))


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(("damage", "problem"), [(edit, "changed"), (remove, "missing")])
def test_an_edited_prediction_is_named_and_never_scored(
    navigation: Navigation, damage: Callable[[Path], None], problem: str
) -> None:
    folder = run(navigation).path
    assert verify_run(folder) == []
    before = (folder / "scores.json").read_bytes()
    damage(folder / LINES)
    assert verify_run(folder) == [FileProblem(LINES, problem)]  # type: ignore[arg-type]
    with pytest.raises(ChecksumError, match=rf"main.jsonl \({problem}\)"):
        rescore(folder)
    assert (folder / "scores.json").read_bytes() == before


def test_a_run_whose_rows_were_edited_is_not_gone_on_with(navigation: Navigation) -> None:
    folder = run(navigation).path
    edit(folder / LINES)
    with pytest.raises(ChecksumError, match="--accept-changes"):
        run(navigation)


def test_rows_that_are_gone_are_asked_again(navigation: Navigation) -> None:
    folder = run(navigation).path
    before = (folder / "scores.json").read_bytes()
    (folder / LINES).unlink()
    run(navigation)
    assert (folder / "scores.json").read_bytes() == before


def test_rows_that_were_added_are_named(navigation: Navigation) -> None:
    folder = run(navigation).path
    extra = (folder / LINES).with_name("vln-qa.all.mcq.official.other.jsonl")
    extra.write_bytes((folder / LINES).read_bytes())
    assert verify_run(folder) == [FileProblem("predictions/vln-qa.all.mcq.official.other.jsonl", "not signed")]


@pytest.mark.parametrize(
    "name", ["/run.json", "../run.json", "predictions//a", "x" * 256, "\u00e9" * 128, ""],
    ids=["absolute", "outside", "empty part", "256 bytes", "128 letters of two bytes", "none"],
)  # fmt: skip
def test_a_line_that_names_what_can_be_no_file_of_a_run_is_no_checksum(navigation: Navigation, name: str) -> None:
    folder = run(navigation).path
    with (folder / "checksums.txt").open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(ChecksumError, match="is no checksum; expected a digest and a file name"):
        verify_run(folder)


def test_accepted_changes_are_scored_and_signed(navigation: Navigation) -> None:
    folder = run(navigation).path
    edit(folder / LINES)
    assert rescore(folder, accept_changes=True).written
    assert verify_run(folder) == []


def test_scores_that_were_edited_are_written_again(navigation: Navigation) -> None:
    folder = run(navigation).path
    before = (folder / "scores.json").read_bytes()
    (folder / "scores.json").write_text("{}")
    assert verify_run(folder) == [FileProblem("scores.json", "changed")]
    rescore(folder)
    assert (folder / "scores.json").read_bytes() == before


def test_a_run_that_is_gone_on_with_is_not_signed_until_it_is_finished(navigation: Navigation) -> None:
    class Model:
        info = ModelInfo("model", "1")
        calls = 0

        def generate(self, prompts: Sequence[Prompt]) -> list[Reply]:
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("stopped")
            return [Reply("A") for _ in prompts]

    def go_on(model: Model) -> Path:
        return evaluate(model, [navigation.sample_set], navigation.videos, navigation.root / "runs").path

    kept = {number: navigation.video(number).read_bytes() for number in (0, 1)}
    steady = Model()
    steady.calls = 2
    for number in kept:
        navigation.video(number).unlink()
    folder = go_on(steady)
    for number, content in kept.items():
        navigation.video(number).write_bytes(content)
    with pytest.raises(RuntimeError):
        go_on(Model())
    with pytest.raises(ChecksumError, match="not finished"):
        verify_run(folder)
    assert go_on(steady) == folder
    assert verify_run(folder) == []


def test_a_folder_without_a_signature_says_that_it_is_unfinished(navigation: Navigation) -> None:
    folder = run(navigation).path
    (folder / "checksums.txt").unlink()
    with pytest.raises(ChecksumError, match="the run is not finished"):
        verify_run(folder)
    assert rescore(folder).written


def test_a_signature_never_leads_out_of_its_folder(navigation: Navigation) -> None:
    folder = run(navigation).path
    (folder / "checksums.txt").write_text(f"{'0' * 64}  ../../outside\n")
    with pytest.raises(ChecksumError, match="is no checksum"):
        verify_run(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_cannot_be_written_is_scored_all_the_same(navigation: Navigation) -> None:
    world = Path(mkdtemp())
    try:
        world.chmod(0o755)
        result = run(navigation, world / "runs")
        navigation.sample_set.write(world / "data")
        os.seteuid(65534)
        try:
            again = rescore(result.path, world / "data")
        finally:
            os.seteuid(0)
        assert (again.scores, again.written, result.written) == (result.scores, False, True)
    finally:
        rmtree(world)


@pytest.mark.parametrize("outcome", ["banana", None, 3])
def test_a_prediction_of_a_wrong_type_is_named_by_file_and_line(navigation: Navigation, outcome: object) -> None:
    folder = run(navigation).path
    lines = (folder / LINES).read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "outcome": outcome})
    (folder / LINES).write_text("\n".join(lines) + "\n")
    with pytest.raises(StoreError, match=r"main.jsonl, line 3: damaged \(outcome"):
        rescore(folder, accept_changes=True)


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"id": ' + "9" * 5_000 + "}", '{"id": "a", "outcome": "answered", "x": 1}']
)
def test_a_line_that_no_run_wrote_is_named(navigation: Navigation, line: str) -> None:
    folder = run(navigation).path
    with (folder / LINES).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StoreError, match=r"main.jsonl, line 13: damaged"):
        rescore(folder, accept_changes=True)
