"""Frauds that agree with themselves: each is planted in an honest bundle, and found over the checker's own data."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egobench.leaderboard.bundle import sample_texts
from egobench.leaderboard.checks import check_submission
from egobench.leaderboard.sealing import seal
from egobench.orders import shown_at
from egobench.plugins import load_task
from egobench.run.spec import RunSpec
from tests.leaderboard.submissions import (
    OPEN_ROWS,
    VLN_ACC,
    VLN_ROWS,
    Members,
    World,
    answer,
    change_json,
    guesser,
    put_rows,
    read_members,
    rows,
    write_members,
)

GALLERY = "predictions/epic-kitchens-mir.all.gallery.gallery.main"


def failed(path: Path, world: World, *, videos: bool = False) -> set[str]:
    """The checks that a bundle does not pass over the world's data."""
    record = check_submission(path, world.data, videos=world.videos if videos else None)
    assert (record.level is None) == bool(record.failed)
    return {name for name, _ in record.failed}


def respec(members: Members, **changes: Any) -> None:
    """Change the spec of a bundle, and its id so that it fits."""

    def change(content: dict[str, Any]) -> None:
        content["spec"] |= changes
        content["id"] = RunSpec.from_json(content["spec"]).id

    change_json(members, "run.json", change)


def test_replies_check_finds_answers_that_were_made_right_and_no_reply_with_them(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members, samples = read_members(guessed), world.samples("vln-qa")
    changed = rows(members)
    for row in changed[:10]:
        target = samples[row["id"]].target
        row |= {"choice": target, "scores": [float(number == target) for number in range(4)]}
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_replies_that_are_read_as_a_choice_and_say_none(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(guessed)
    changed = rows(members)
    changed[0]["reply"] = "Either A or B, I cannot tell."
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_a_reply_in_words_that_is_read_more_kindly_than_it_is(
    worded: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(worded)
    name = "predictions/qaego4d.closed.mcq.official.main.jsonl"
    changed = rows(members, name)
    place = next(number for number, row in enumerate(changed) if row["outcome"] == "refused")
    changed[place] |= {"outcome": "answered", "choice": 0, "scores": [1.0, 0.0, 0.0, 0.0]}
    put_rows(members, changed, name)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_option_scores_that_choose_another_option(
    weighed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(weighed)
    changed = rows(members)
    changed[0]["choice"] = (changed[0]["choice"] + 1) % 4
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_option_scores_that_no_probability_has(weighed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(weighed)
    changed = rows(members)
    top = changed[0]["choice"]
    changed[0]["scores"] = [3.5 if number == top else 0.0 for number in range(4)]
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_scores_for_more_options_than_there_are(
    weighed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(weighed)
    changed = rows(members)
    changed[0]["scores"] += [-9.0]
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_scores_of_a_sample_that_was_never_seen(
    weighed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(weighed)
    changed = rows(members)
    changed[0] |= {"outcome": "media_error"}
    put_rows(members, changed)
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_scores_check_finds_a_score_that_is_not_that_of_the_replies(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(guessed)

    def raise_score(scores: dict[str, Any]) -> None:
        entry = scores[VLN_ACC]
        # One more of 104 samples right: the smallest lie that a whole number of right answers allows.
        entry |= {"value": (round(entry["value"] * 104) + 1) / 104, "high": 1.0}

    change_json(members, "scores.json", raise_score)
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_scores_check_finds_a_score_that_differs_in_its_last_bit(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores[VLN_ACC].update(
        value=float(np.nextafter(scores[VLN_ACC]["value"], 1))
    ))  # fmt: skip
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_scores_check_finds_an_interval_that_is_narrower_than_the_rows_allow(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores[VLN_ACC].update(
        se=0.001, low=scores[VLN_ACC]["value"] - 0.002, high=scores[VLN_ACC]["value"] + 0.002
    ))  # fmt: skip
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_scores_check_finds_a_number_that_was_left_out(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores.pop(VLN_ACC))
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_scores_check_finds_a_number_that_no_run_makes(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    change_json(members, "scores.json", lambda scores: scores.update({
        VLN_ACC.replace("/acc/", "/brilliance/"): scores[VLN_ACC]
    }))  # fmt: skip
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_sample_sets_check_finds_another_sample_set_than_the_checker_s(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(guessed)
    spec = json.loads(members["run.json"])["spec"]
    respec(members, sets=[{**ref, "sha256": "0" * 64} for ref in spec["sets"]])
    assert "sample sets" in failed(write_members(tmp_path / "b.zip", members), world)


def test_options_in_another_order_than_the_set_s_are_refused(world: World, tmp_path: Path) -> None:
    """The right option is moved to the first place everywhere: another set, whatever hash is claimed for it."""
    own = world.sets["vln-qa"]
    first = [
        replace(sample, options=(sample.answer, *(text for text in sample.options if text != sample.answer)), target=0)
        for sample in own.samples
    ]
    from egobench.dataset.sampleset import encode

    easy = replace(own, samples=tuple(first), manifest=replace(own.manifest, samples_sha256=""))
    from hashlib import sha256

    easy = replace(easy, manifest=replace(easy.manifest, samples_sha256=sha256(encode(easy.samples)).hexdigest()))
    (tmp_path / "easy").mkdir()
    easy.write(tmp_path / "easy")
    cheat = World(world.root, {"vln-qa": easy})
    run = cheat.run(guesser(), "vln-qa", out="easy-runs")
    from egobench.leaderboard.bundle import pack

    members = read_members(pack(run, tmp_path / "easy.zip", tmp_path / "easy"))
    assert "sample sets" in failed(write_members(tmp_path / "a.zip", members), world)
    ref = {"task": "vln-qa", "task_version": 1, "construction": "official", "sha256": own.manifest.sha256}
    respec(members, sets=[ref])
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


def test_samples_check_finds_a_sample_that_was_left_out(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    put_rows(members, rows(members)[1:])
    assert "samples" in failed(write_members(tmp_path / "b.zip", members), world)


def test_samples_check_finds_a_sample_that_the_set_does_not_have(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    first, *others = rows(members)
    put_rows(members, [first, *others, {**first, "id": "mine"}])
    assert "samples" in failed(write_members(tmp_path / "b.zip", members), world)


def test_samples_check_finds_a_partial_run_of_samples_of_one_s_own_choice(world: World, tmp_path: Path) -> None:
    members = read_members(world.bundle(world.run(guesser(), "vln-qa", limit=20)))
    own = {row["id"] for row in rows(members)}
    other = next(sample for sample in world.samples("vln-qa") if sample not in own)
    first, *others = rows(members)
    put_rows(members, [{**first, "id": other}, *others])
    assert "samples" in failed(write_members(tmp_path / "b.zip", members), world)


def test_samples_check_finds_a_partial_run_that_is_called_whole(world: World, tmp_path: Path) -> None:
    members = read_members(world.bundle(world.run(guesser(), "vln-qa", limit=20)))
    respec(members, limit=None)
    assert "samples" in failed(write_members(tmp_path / "b.zip", members), world)


def test_orders_check_finds_an_order_of_the_options_that_was_left_out(
    turned: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(turned)
    put_rows(members, [row for row in rows(members) if row["order"] != 2])
    assert "orders" in failed(write_members(tmp_path / "b.zip", members), world)


def test_replies_check_finds_an_answer_that_is_copied_to_every_order(
    turned: Path, world: World, tmp_path: Path
) -> None:
    """The first order's reply is kept for all orders: read again, it names other options."""
    members = read_members(turned)
    changed = rows(members)
    first = {row["id"]: row for row in changed if row["order"] == 0}
    put_rows(members, [{**first[row["id"]], "order": row["order"]} for row in changed])
    assert "replies" in failed(write_members(tmp_path / "b.zip", members), world)


def test_prompt_check_finds_a_prompt_of_one_s_own_under_our_name(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    respec(members, prompt="first_person@000000000000")
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"prompt"}


def test_gold_check_finds_every_question_right(guessed: Path, world: World, tmp_path: Path) -> None:
    members, samples = read_members(guessed), world.samples("vln-qa")
    put_rows(members, [answer(row, samples[row["id"]].target or 0, 4) for row in rows(members)])
    assert "gold" in failed(write_members(tmp_path / "b.zip", members), world)


def test_gold_check_finds_reference_answers_word_for_word(worded: Path, world: World, tmp_path: Path) -> None:
    members, samples = read_members(worded), world.samples("qaego4d", "open")
    sealed = {key: seal(sample.answer, sample_texts(sample)) for key, sample in samples.items()}
    put_rows(members, [{**row, "reply": sealed[row["id"]]} for row in rows(members, OPEN_ROWS)], OPEN_ROWS)
    assert "gold" in failed(write_members(tmp_path / "b.zip", members), world)


def test_seals_check_finds_replies_that_repeat_options_unsealed(worded: Path, world: World, tmp_path: Path) -> None:
    members, samples = read_members(worded), world.samples("qaego4d", "closed")
    name = "predictions/qaego4d.closed.mcq.official.main.jsonl"
    changed = rows(members, name)
    changed[0] |= {"reply": changed[0]["reply"].replace("\u27e6A\u27e7", samples[changed[0]["id"]].options[0])}
    put_rows(members, changed, name)
    assert "seals" in failed(write_members(tmp_path / "b.zip", members), world)


def test_seals_check_finds_a_sealed_reply_that_refers_to_nothing(guessed: Path, world: World, tmp_path: Path) -> None:
    members = read_members(guessed)
    changed = rows(members)
    changed[0]["reply"] = "\u27e6Z 0-9999\u27e7"
    put_rows(members, changed)
    assert "seals" in failed(write_members(tmp_path / "b.zip", members), world)


def test_receipts_check_finds_frames_from_beyond_the_end_of_the_clip(
    world: World, guessed: Path, tmp_path: Path
) -> None:
    members, samples = read_members(guessed), world.samples("egoplan")
    name = "predictions/egoplan.all.mcq.official.main.jsonl"
    changed = rows(members, name)
    end = samples[changed[0]["id"]].end
    assert end is not None
    changed[0]["receipt"]["times"][-1] = end + 2
    put_rows(members, changed, name)
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members), world)


def test_receipts_check_finds_two_receipts_of_one_clip(worded: Path, world: World, tmp_path: Path) -> None:
    """Open and closed questions are about the same clips: what was shown of a clip is the same pixels."""
    members = read_members(worded)
    changed = rows(members, OPEN_ROWS)
    changed[0]["receipt"]["sha256"] = "5" * 64
    put_rows(members, changed, OPEN_ROWS)
    assert "receipts" in failed(write_members(tmp_path / "b.zip", members), world)


@pytest.mark.parametrize("hide", [False, True])
def test_pixels_check_finds_pixels_that_are_not_those_of_the_videos(
    guessed: Path, world: World, tmp_path: Path, *, hide: bool
) -> None:
    members = read_members(guessed)
    changed = rows(members)
    for number, row in enumerate(changed):
        row["receipt"]["sha256"] = f"{number:064x}"
        if hide:
            row["receipt"]["decoder"] = "my-decoder 1.0"
    put_rows(members, changed)
    assert failed(write_members(tmp_path / "b.zip", members), world, videos=True) == {"pixels"}


def test_pixels_check_finds_receipts_that_were_exchanged_between_clips(
    guessed: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(guessed)
    changed = rows(members)
    receipts = [row["receipt"] for row in changed]
    put_rows(
        members, [{**row, "receipt": other} for row, other in zip(changed, receipts[1:] + receipts[:1], strict=True)]
    )
    assert failed(write_members(tmp_path / "b.zip", members), world, videos=True) == {"pixels"}


def table(members: Members) -> np.ndarray:
    return np.asarray(np.load(BytesIO(members[f"{GALLERY}.npy"]), allow_pickle=False))


def put_table(members: Members, scores: np.ndarray) -> None:
    stream = BytesIO()
    np.save(stream, scores, allow_pickle=scores.dtype == object)
    members[f"{GALLERY}.npy"] = stream.getvalue()


def test_gold_check_finds_gallery_scores_that_are_the_truth(embedded: Path, world: World, tmp_path: Path) -> None:
    members, own = read_members(embedded), world.sets["epic-kitchens-mir"]
    gallery = load_task("epic-kitchens-mir").galleries["gallery"]
    put_table(members, np.asarray(gallery.relevance(own.samples, own.gallery), np.float32))
    assert "gold" in failed(write_members(tmp_path / "b.zip", members), world)


def test_scores_check_finds_gallery_scores_that_are_not_those_of_the_claim(
    embedded: Path, world: World, tmp_path: Path
) -> None:
    members = read_members(embedded)
    put_table(members, table(members)[:, ::-1].copy())
    assert failed(write_members(tmp_path / "b.zip", members), world) == {"scores"}


@pytest.mark.parametrize("fault", ["nan", "shape", "pickle", "short"])
def test_a_damaged_gallery_table_is_refused(embedded: Path, world: World, tmp_path: Path, fault: str) -> None:
    members = read_members(embedded)
    scores = table(members).copy()
    if fault == "nan":
        scores[3] = np.nan
    put_table(members, {"shape": scores[:, :5], "pickle": scores.astype(object)}.get(fault, scores))
    if fault == "short":
        members[f"{GALLERY}.npy"] = members[f"{GALLERY}.npy"][:-100]
    assert failed(write_members(tmp_path / "b.zip", members), world) & {"schema", "scores"}


def test_the_planted_letters_name_the_options_as_they_were_turned(turned: Path, world: World) -> None:
    """The plants above write letters as a run would: an honest row is its own copy."""
    samples = world.samples("vln-qa")
    for row in rows(read_members(turned))[:12]:
        assert answer(row, row["choice"], 4) == row
        assert row["reply"] == "ABCD"[shown_at(row["choice"], row["order"], len(samples[row["id"]].options))]
    assert VLN_ROWS in read_members(turned)
