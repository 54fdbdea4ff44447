"""Exports, read by the packages whose formats they are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from egobench.errors import BundleError
from egobench.leaderboard.archive import unpack
from egobench.leaderboard.bundle import sample_texts
from egobench.leaderboard.checks import check_submission
from egobench.leaderboard.checks.content import read_content
from egobench.leaderboard.exports import Attribution, export_submission
from egobench.leaderboard.exports.facts import Exported
from egobench.leaderboard.exports.hub_results import hub_results
from egobench.leaderboard.submission import write_record
from egobench.scoring.overview import read_scores_file
from tests.leaderboard.submissions import (
    VLN_ACC,
    World,
    change_json,
    guesser,
    read_members,
    write_members,
)

MINE = Attribution(date(2026, 3, 1), "my-lab", "my-lab", "https://example.org/egobench", "my-lab/egobench")


def export(path: Path, out: Path, form: Any, **options: Any) -> list[Path]:
    return export_submission(path, out, form, options.pop("attribution", MINE), **options)


@pytest.fixture(scope="session")
def run(world: World, guessed: Path) -> Path:
    """The run that the bundle is of."""
    assert guessed.is_file()
    return world.run(guesser(), "vln-qa", "egoplan")


def test_every_eval_ever_accepts_the_file_without_a_warning(guessed: Path, run: Path, tmp_path: Path) -> None:
    validation = pytest.importorskip("every_eval_ever.validator.validation_core")
    (path,) = export(guessed, tmp_path, "every-eval-ever")
    parts = path.relative_to(tmp_path).parts
    assert parts[:4] == ("data", "egobench", "my-lab", "random")
    report = validation.validate_file(path)
    assert (report.valid, report.errors, report.warnings) == (True, [], [])
    record = json.loads(path.read_text())
    assert validation.check_path_structure(path.relative_to(tmp_path).as_posix()) == []
    assert validation.check_model_identity_path(path.relative_to(tmp_path).as_posix(), record) == []
    scores = read_scores_file(run)
    assert {row["evaluation_result_id"]: row["score_details"]["score"] for row in record["evaluation_results"]} == {
        str(entry.id): entry.value for entry in scores.values()
    }
    assert record["source_metadata"]["evaluator_relationship"] == "first_party"
    assert record["evaluation_timestamp"] == "1772323200"  # by hand: 20,513 days since 1970, times 86,400


def test_the_hub_reads_the_headline_scores(guessed: Path, run: Path, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("a huggingface_hub of before these results")
    (path,) = export(guessed, tmp_path, "hf-eval-results")
    assert path.parent == tmp_path / ".eval_results"
    rows = yaml.safe_load(path.read_text())
    assert rows[1].keys() == {"dataset", "value", "date", "source", "notes"}
    entries = hub.parse_eval_result_entries(rows)
    scores = read_scores_file(run)
    assert [(entry.dataset_id, entry.task_id, entry.date) for entry in entries] == [
        ("my-lab/egobench", "egoplan", "2026-03-01"),
        ("my-lab/egobench", "vln-qa", "2026-03-01"),
    ]
    value = scores["vln-qa/all/mcq/official/acc"].value
    assert value is not None
    assert entries[1].value == pytest.approx(100 * value, abs=0.005)
    assert entries[1].source_url == "https://example.org/egobench"
    assert entries[1].notes.startswith(f"{VLN_ACC}; 104 of 104 samples; 95 % interval ")


def test_inspect_reads_a_log_of_every_part(guessed: Path, world: World, run: Path, tmp_path: Path) -> None:
    inspect_log = pytest.importorskip("inspect_ai.log")
    paths = export(guessed, tmp_path, "inspect", data=world.data)
    day = "2026-03-01T00-00-00+00-00"
    parts = ("egoplan.all.mcq.official", "vln-qa.all.mcq.official")
    assert sorted(path.name for path in paths) == [f"{day}_{part}_{run.name}.json" for part in parts]
    logs = [inspect_log.read_eval_log(str(path)) for path in paths]
    assert [log.status for log in logs] == ["success", "success"]
    (log,) = [log for log in logs if "vln-qa" in log.eval.task]
    entry = read_scores_file(run)["vln-qa/all/mcq/official/acc"]
    by_name = {score.name: score.metrics for score in log.results.scores}
    assert by_name["acc"]["value"].value == entry.value
    assert by_name["acc"]["stderr"].value == entry.se
    assert len(log.samples) == 104
    values = [sample.scores["acc"].value for sample in log.samples]
    assert sum(values) / 104 == pytest.approx(entry.value)
    assert {log.eval.run_id for log in logs} == {run.name}
    assert len(inspect_log.list_eval_logs(str(tmp_path))) == 2


def test_logs_of_several_runs_are_listed_beside_one_another(
    guessed: Path, weighed: Path, world: World, tmp_path: Path
) -> None:
    """Inspect takes logs of one task id for attempts at one thing, and lists the last of them."""
    for bundle in (guessed, weighed):
        export(bundle, tmp_path, "inspect", data=world.data)
    logs = [json.loads(path.read_text())["eval"] for path in tmp_path.glob("*vln-qa*.json")]
    assert len({log["task_id"] for log in logs}) == 2
    assert {log["task_args"]["method"] for log in logs} == {"generate", "likelihood-sum"}


def test_scores_of_options_are_shown_where_nothing_was_replied(weighed: Path, world: World, tmp_path: Path) -> None:
    (path,) = export(weighed, tmp_path, "inspect", data=world.data)
    for sample in json.loads(path.read_text())["samples"]:
        score = sample["scores"]["acc"]
        options = score["metadata"]["scores of the options"]
        assert score["answer"] == max(options, key=options.__getitem__)


def test_logs_show_texts_only_where_they_are_asked_for(world: World, worded: Path, tmp_path: Path) -> None:
    sample = next(iter(world.samples("qaego4d", "closed").values()))
    without, with_texts = (tmp_path / "sealed", tmp_path / "open")
    export(worded, without, "inspect")
    export(worded, with_texts, "inspect", data=world.data, texts=True)
    sealed, opened = (next(folder.glob("*qaego4d.closed*")).read_text() for folder in (without, with_texts))
    assert all(text not in sealed for text in sample_texts(sample).values() if len(text.split()) > 2)
    assert sample.question in opened
    first = next(row for row in json.loads(opened)["samples"] if row["id"] == sample.id)
    assert first["target"] == "ABCD"[sample.target or 0]
    assert first["choices"] == [*sample.options]


def test_exports_say_how_much_stands_behind_them(world: World, guessed: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "mine.zip"
    bundle.write_bytes(guessed.read_bytes())
    write_record(bundle, check_submission(bundle, world.data))
    (path,) = export(bundle, tmp_path, "every-eval-ever", attribution=Attribution(date(2026, 3, 1)))
    source = json.loads(path.read_text())["source_metadata"]
    assert (source["additional_details"]["level"], source["evaluator_relationship"]) == ("re-scored", "other")


def test_a_refused_bundle_is_not_exported(world: World, guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores.pop(VLN_ACC))
    path = write_members(tmp_path / "b.zip", members)
    write_record(path, check_submission(path, world.data))
    with pytest.raises(BundleError, match="was refused by a check"):
        export(path, tmp_path / "out", "every-eval-ever")
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_headline_has_no_result_for_the_hub(guessed: Path, tmp_path: Path) -> None:
    unpack(guessed, tmp_path)
    content = replace(read_content(tmp_path, sealed=True), scores={})
    with pytest.raises(BundleError, match="no headline score is over all samples"):
        hub_results(Exported(content, "self-reported", MINE))


def test_a_part_of_the_samples_and_a_control_are_no_result_for_the_hub(world: World, tmp_path: Path) -> None:
    for run, reason in (
        (world.run(guesser(), "vln-qa", limit=3), "no headline score is over all samples"),
        (world.run(guesser(), "vln-qa", control="first-frame"), "the run is the control 'first-frame'"),
    ):
        with pytest.raises(BundleError, match=reason):
            export(run, tmp_path, "hf-eval-results")


def test_questions_are_shown_by_the_one_format_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hf-eval-results shows no questions; leave --texts out"):
        export(tmp_path / "any.zip", tmp_path, "hf-eval-results", data=tmp_path, texts=True)


def test_what_a_format_needs_is_asked_for(guessed: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give --dataset and --url"):
        export(guessed, tmp_path, "hf-eval-results", attribution=Attribution(date(2026, 3, 1)))
    with pytest.raises(ValueError, match="give their folder too"):
        export(guessed, tmp_path, "inspect", texts=True)


def test_a_model_s_name_leads_nowhere_else(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "run.json", lambda content: content["spec"]["model"].update(name="../../<b>/.."))
    (path,) = export(write_members(tmp_path / "b.zip", members), tmp_path / "out", "every-eval-ever")
    assert path.resolve().is_relative_to(tmp_path / "out" / "data" / "egobench" / "my-lab")
