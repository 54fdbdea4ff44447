"""Faults and frauds that a bundle shows by itself: each is planted in an honest one, and found without any data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egobench.leaderboard.checks import check_submission
from tests.leaderboard.submissions import (
    VLN_ACC,
    VLN_ROWS,
    Members,
    answer,
    change_json,
    put_rows,
    read_members,
    rows,
    write_members,
)


def failed(path: Path) -> set[str]:
    """The checks that a bundle does not pass, without data."""
    record = check_submission(path)
    assert (record.level is None) == bool(record.failed)
    return {name for name, _ in record.failed}


def change_entry(members: Members, **values: Any) -> None:
    """Change the entry of the navigation accuracy."""
    change_json(members, "scores.json", lambda scores: scores[VLN_ACC].update(values))


def test_a_bundle_as_it_was_packed_passes_without_data(guessed: Path) -> None:
    record = check_submission(guessed)
    assert (record.failed, record.level, record.ranked) == ((), "self-reported", False)


def test_checksums_check_finds_rows_that_were_changed_after_packing(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    members[VLN_ROWS] = members[VLN_ROWS].replace(b'"reply": "C"', b'"reply": "D"', 1)
    assert failed(write_members(tmp_path / "b.zip", members, sign=False)) == {"checksums"}


def test_checksums_check_finds_a_file_without_a_checksum(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    lines = members["checksums.txt"].splitlines(keepends=True)
    members["checksums.txt"] = b"".join(line for line in lines if b"run.json" not in line)
    assert failed(write_members(tmp_path / "b.zip", members, sign=False)) == {"checksums"}


def test_checksums_check_finds_a_checksum_without_a_file(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    members["checksums.txt"] += b"0" * 64 + b"  predictions/more.main.jsonl\n"
    assert failed(write_members(tmp_path / "b.zip", members, sign=False)) == {"checksums"}


def test_run_id_check_finds_a_run_under_another_model_s_name(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "run.json", lambda content: content["spec"]["model"].update(name="gpt-9"))
    assert "run id" in failed(write_members(tmp_path / "b.zip", members))


def test_schema_check_finds_a_spec_with_a_key_that_no_spec_has(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "run.json", lambda content: content["spec"].update(bonus=1))
    assert "schema" in failed(write_members(tmp_path / "b.zip", members))


def test_schema_check_finds_a_prediction_with_a_value_of_another_type(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, *others = rows(members)
    put_rows(members, [{**first, "choice": "2"}, *others])
    assert "schema" in failed(write_members(tmp_path / "b.zip", members))


def test_schema_check_finds_a_score_with_a_text_for_a_count(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_entry(members, clusters="many")
    assert "schema" in failed(write_members(tmp_path / "b.zip", members))


def test_schema_check_finds_predictions_of_a_part_that_the_spec_does_not_have(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    members["predictions/egoschema.all.mcq.official.main.jsonl"] = members[VLN_ROWS]
    assert "schema" in failed(write_members(tmp_path / "b.zip", members))


def test_schema_check_finds_a_score_of_a_method_that_the_spec_does_not_have(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores.update({
        VLN_ACC.replace("generate", "likelihood-sum"): scores.pop(VLN_ACC)
    }))  # fmt: skip
    assert "schema" in failed(write_members(tmp_path / "b.zip", members))


def test_duplicates_check_finds_one_sample_answered_twice(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, *others = rows(members)
    put_rows(members, [first, *others, answer(first, 1, 4)])
    assert "duplicates" in failed(write_members(tmp_path / "b.zip", members))


def test_duplicates_check_finds_one_sample_answered_twice_in_place_of_another(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, _, *others = rows(members)
    put_rows(members, [first, first, *others])
    assert "duplicates" in failed(write_members(tmp_path / "b.zip", members))


def test_grim_check_finds_an_accuracy_that_no_number_of_right_answers_has(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    # By hand: 104 samples; 0.3 of them would be 31.2 right answers.
    change_entry(members, value=0.3, low=0.2, high=0.4)
    assert "grim" in failed(write_members(tmp_path / "b.zip", members))


def test_counts_check_finds_a_score_outside_of_its_interval(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_entry(members, value=1.0, low=0.2, high=0.4)
    assert "counts" in failed(write_members(tmp_path / "b.zip", members))


def test_counts_check_finds_a_score_above_the_most_there_can_be(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_entry(members, value=2.0, low=1.5, high=2.5)
    assert "counts" in failed(write_members(tmp_path / "b.zip", members))


def test_counts_check_finds_outcomes_that_are_not_those_of_the_predictions(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, *others = rows(members)
    refused = {**first, "outcome": "refused", "choice": None, "scores": None, "reply": "I cannot say."}
    put_rows(members, [refused, *others])
    assert "counts" in failed(write_members(tmp_path / "b.zip", members))


def test_counts_check_finds_more_samples_than_the_set_has(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_entry(members, n_expected=50)
    assert "counts" in failed(write_members(tmp_path / "b.zip", members))


def test_failures_check_finds_a_run_that_lost_many_samples_to_its_own_videos(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    lost = {"outcome": "media_error", "choice": None, "scores": None, "reply": "", "rule": "", "receipt": None}
    put_rows(members, [{**row, **(lost if number % 4 == 0 else {})} for number, row in enumerate(rows(members))])
    assert "failures" in failed(write_members(tmp_path / "b.zip", members))


def test_constant_answers_check_finds_a_model_that_always_says_the_same(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    put_rows(members, [answer(row, 0, 4) for row in rows(members)])
    assert "constant answers" in failed(write_members(tmp_path / "b.zip", members))


def test_constant_answers_check_finds_a_constant_answer_hidden_by_turned_options(turned: Path, tmp_path: Path) -> None:
    members = read_members(turned)
    # Whatever the order, the letter is A.
    put_rows(members, [answer(row, row["order"], 4) for row in rows(members)])
    assert "constant answers" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_answers_without_a_receipt(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, *others = rows(members)
    put_rows(members, [{**first, "receipt": None}, *others])
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_a_receipt_of_fewer_frames_than_the_run_says(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    for row in changed[:3]:
        row["receipt"] |= {"times": row["receipt"]["times"][:2], "indices": row["receipt"]["indices"][:2]}
    put_rows(members, changed)
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_one_receipt_for_all_videos(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    put_rows(members, [{**row, "receipt": changed[0]["receipt"]} for row in changed])
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_a_receipt_whose_frames_go_back_in_time(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    changed[0]["receipt"]["times"].reverse()
    put_rows(members, changed)
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_a_receipt_with_no_hash_in_it(guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    changed[0]["receipt"]["sha256"] = "trust me"
    put_rows(members, changed)
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


def test_receipts_check_finds_a_blind_run_that_is_called_a_plain_one(world: Any, tmp_path: Path) -> None:
    from tests.leaderboard.submissions import guesser

    members = read_members(world.bundle(world.run(guesser(), "vln-qa", control="blind")))

    def unmask(content: dict[str, Any]) -> None:
        content["spec"] |= {"control": None, "frames": {"vln-qa": {
            "count": 4, "last": False, "min_seconds": 0.5, "short_side": 336,
        }}}  # fmt: skip

    change_json(members, "run.json", unmask)
    scores = json.loads(members["scores.json"])
    members["scores.json"] = json.dumps({name.removesuffix("/blind"): scores[name] for name in scores}).encode()
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members))


@pytest.mark.parametrize("missing", ["run.json", "scores.json", "checksums.txt", "bundle.json"])
def test_a_bundle_without_one_of_its_files_is_refused(guessed: Path, tmp_path: Path, missing: str) -> None:
    members = read_members(guessed)
    del members[missing]
    assert failed(write_members(tmp_path / "b.zip", members, sign=False)) & {"schema", "checksums"}
