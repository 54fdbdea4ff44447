"""Honest bundles, of every kind of run: each passes, and holds nothing that it may not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from egobench.errors import BundleError, ChecksumError, SampleSetError, StoreError
from egobench.evaluate import rescore
from egobench.leaderboard.bundle import pack, sample_texts
from egobench.leaderboard.checks import CHECKS, check_submission
from egobench.leaderboard.sealing import holds_copy
from egobench.leaderboard.submission import (
    find_submissions,
    open_submission,
    read_record,
    record_path,
    write_record,
)
from egobench.llm_judge.client import find_judge
from egobench.llm_judge.score import judge_run
from egobench.observer import SilentObserver
from egobench.plugins import load_model
from egobench.retrieval.rerank import read_retriever
from tests.leaderboard.submissions import (
    OPEN_ROWS,
    VLN_ACC,
    VLN_ROWS,
    Encoder,
    Talker,
    World,
    guesser,
    read_members,
    rows,
    write_members,
)
from tests.scripted_server import chat, serving

OVER_DATA = CHECKS[: CHECKS.index("pixels")]


def reranked(world: World) -> Path:
    retriever = world.run(Encoder(), "epic-kitchens-mir")
    rerank = read_retriever(retriever, [world.sets["epic-kitchens-mir"]], 7)
    return world.run(guesser(), "epic-kitchens-mir", method="likelihood-sum", rerank=rerank)


def judged(world: World) -> Path:
    pytest.importorskip("httpx")
    run = world.run(Talker(), "qaego4d", out="judged")

    def says(number: int) -> tuple[int, dict[str, str], bytes]:
        question = json.loads(server.asked[number]["messages"][1]["content"])
        why = f"{question['question']} {question['reference answer']}!"
        return chat(json.dumps({"correct": "yes", "score": 4, "why": why}) if number % 3 else "no idea")

    with serving(says) as server:
        judge_run(run, world.data, find_judge(server.url, "toy/judge"), SilentObserver())
    rescore(run, world.data)
    return run


def interrupted(world: World) -> Path:
    """A run that took over the answers of a shorter one."""
    world.run(guesser(), "vln-qa", out="longer", limit=10)
    return world.run(guesser(), "vln-qa", out="longer")


RUNS: dict[str, Callable[[World], Path]] = {
    "generate": lambda world: world.run(guesser(), "vln-qa", "egoplan"),
    "words": lambda world: world.run(Talker(), "qaego4d"),
    "first choice": lambda world: world.run(load_model("first-choice"), "vln-qa", "egoplan"),
    "text prior": lambda world: world.run(load_model("text-prior"), "vln-qa"),
    "likelihood": lambda world: world.run(guesser(), "vln-qa", method="likelihood-sum"),
    "likelihood less its prior": lambda world: world.run(guesser(), "vln-qa", method="likelihood-mean", text_prior=0.5),
    "orders": lambda world: world.run(guesser(), "vln-qa", orders=3),
    "orders of words": lambda world: world.run(Talker(), "vln-qa", orders=2),
    "blind": lambda world: world.run(guesser(), "vln-qa", control="blind"),
    "shuffled": lambda world: world.run(guesser(), "vln-qa", control="shuffled"),
    "reversed": lambda world: world.run(guesser(), "vln-qa", control="reversed"),
    "first frame": lambda world: world.run(guesser(), "vln-qa", control="first-frame"),
    "other video": lambda world: world.run(guesser(), "egoplan", control="other-video"),
    "frames by rate": lambda world: world.run(load_model("random"), "egoplan", frames=6, fps=0.5),
    "gallery": lambda world: world.run(Encoder(), "epic-kitchens-mir"),
    "gallery in part": lambda world: world.run(Encoder(), "epic-kitchens-mir", limit=30),
    "rerank": reranked,
    "limit": lambda world: world.run(guesser(), "vln-qa", limit=12),
    "taken over": interrupted,
    "judge": judged,
}


@pytest.mark.parametrize("kind", RUNS)
def test_an_honest_bundle_passes_every_check(world: World, kind: str) -> None:
    run = RUNS[kind](world)
    path = world.bundle(run)
    record = check_submission(path, world.data, videos=world.videos)
    assert record.failed == ()
    partial = kind in {"limit", "gallery in part"}
    assert (record.level, record.ranked, record.passed) == ("re-scored", not partial, (*OVER_DATA, "pixels"))
    assert (record.clips > 0) == (kind not in {"blind", "first choice", "text prior"})
    folder = check_submission(run, world.data, videos=world.videos)
    assert (folder.failed, folder.level, folder.clips) == ((), "re-scored", record.clips)


def test_missing_videos_are_part_of_an_honest_bundle_as_long_as_they_are_few(world: World, tmp_path: Path) -> None:
    videos = copytree(world.videos, tmp_path / "videos")
    samples = world.sets["vln-qa"].samples
    for sample in samples[:4]:
        (videos / "vln-qa" / sample.video).unlink()
    fewer = World(world.root, world.sets)
    from egobench.evaluate import evaluate
    from egobench.run.spec import Settings

    run = evaluate(guesser(), [world.sets["vln-qa"]], videos, tmp_path / "runs", Settings()).path
    path = pack(run, tmp_path / "b.zip", fewer.data)
    assert check_submission(path, world.data).failed == ()
    errors = {row["error"] for row in rows(read_members(path)) if row["outcome"] == "media_error"}
    assert errors == {"MissingVideoError"}


def test_a_bundle_holds_no_text_of_the_sample_set_and_no_path(world: World, worded: Path) -> None:
    members = read_members(worded)
    texts = {
        f"{sample.id}{key}": text
        for sample in world.sets["qaego4d"].samples
        for key, text in sample_texts(sample).items()
        if len(text.split()) > 1
    }
    everything = b"\n".join(content for name, content in members.items() if name != "bundle.json").decode()
    assert [text for text in texts.values() if text.lower() in everything.lower()] == []
    assert str(world.root) not in everything
    assert {row["reply"][:3] for row in rows(members, OPEN_ROWS)} == {"On "}
    assert not any(holds_copy(row["reply"], texts) for row in rows(members, OPEN_ROWS))


def test_a_judge_s_reply_is_sealed_too(world: World) -> None:
    members = read_members(world.bundle(judged(world)))
    replies = members["judge.toy%2Fjudge.jsonl"].decode()
    assert "yellow carrot" not in replies
    assert "\u27e6Q" in replies


def test_the_same_run_gives_the_same_bytes(world: World, guessed: Path, tmp_path: Path) -> None:
    run = world.run(guesser(), "vln-qa", "egoplan")
    moved = copytree(run, tmp_path / "elsewhere")
    assert pack(moved, tmp_path / "again.zip", world.data).read_bytes() == guessed.read_bytes()


def test_an_unfinished_a_changed_and_no_run_are_not_packed(world: World, tmp_path: Path) -> None:
    run = copytree(world.run(guesser(), "vln-qa"), tmp_path / "run")
    with pytest.raises(SampleSetError, match="missing or differs"):
        pack(run, tmp_path / "b.zip", world.data / "qaego4d" / "official")
    with (run / VLN_ROWS).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(StoreError, match="not as it was signed"):
        pack(run, tmp_path / "b.zip", world.data)
    (run / "checksums.txt").unlink()
    with pytest.raises(ChecksumError, match="not finished"):
        pack(run, tmp_path / "b.zip", world.data)
    with pytest.raises(StoreError, match="no run folder"):
        pack(tmp_path / "nothing", tmp_path / "b.zip", world.data)
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_opens_as_a_run_folder(guessed: Path) -> None:
    from egobench.run.store import Run, read_run
    from egobench.scoring.overview import read_scores_file

    with open_submission(guessed) as submission:
        assert (submission.level, submission.ranked, submission.record) == ("self-reported", False, None)
        run = Run(submission.folder, read_run(submission.folder).spec)
        assert len(run.predictions("vln-qa.all.mcq.official")) == 104
        assert "vln-qa/all/mcq/official/acc" in read_scores_file(submission.folder)
        folder = submission.folder
    assert not folder.exists()


def test_a_record_counts_as_long_as_its_bundle_is_the_one_that_was_checked(
    world: World, guessed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(guessed.read_bytes())
    record = check_submission(path, world.data)
    assert write_record(path, record) == tmp_path / "mine.zip.check.json"
    assert read_record(path) == record
    with open_submission(path) as submission:
        assert (submission.level, submission.ranked) == ("re-scored", True)
    write_members(path, read_members(path))
    assert read_record(path) is None
    record_path(path).write_text("[]")
    with pytest.raises(BundleError, match="no record of a check"):
        read_record(path)


def test_run_folders_and_bundles_are_found_below_a_folder(world: World, guessed: Path, tmp_path: Path) -> None:
    run = world.run(guesser(), "vln-qa", "egoplan")
    assert guessed in find_submissions([guessed.parent])
    assert run in find_submissions([world.root / "runs"])
    assert find_submissions([guessed, run]) == sorted([guessed, run])
    with pytest.raises(BundleError, match="holds no run and no bundle"):
        find_submissions([tmp_path])


def test_a_run_that_comes_out_the_same_a_second_time_is_reproduced(world: World, guessed: Path) -> None:
    second = world.run(guesser(), "vln-qa", "egoplan", out="second")
    record = check_submission(guessed, world.data, second=second)
    assert (record.failed, record.level) == ((), "reproduced")


def test_a_copy_and_another_run_reproduce_nothing(world: World, guessed: Path) -> None:
    for second in (guessed, world.run(guesser(), "vln-qa", "egoplan"), world.run(guesser(), "vln-qa")):
        record = check_submission(guessed, world.data, second=second)
        assert [failed.check for failed in record.failed] == ["reproduction"]
        assert record.level is None


def test_other_answers_the_second_time_are_named_with_both_numbers(world: World, guessed: Path, tmp_path: Path) -> None:
    members = read_members(guessed)
    samples = world.samples("vln-qa")
    from tests.leaderboard.submissions import answer, put_rows

    changed = rows(members)
    for place, row in enumerate(changed[:80]):
        changed[place] = answer(row, samples[row["id"]].target or 0, 4) | {"seconds": 1.0}
    put_rows(members, changed)
    other = write_members(tmp_path / "b.zip", members)
    with open_submission(other) as opened:
        from egobench.evaluate import score_parts
        from egobench.run.plan import find_run_sets, plan
        from egobench.run.store import Run, read_run

        spec = read_run(opened.folder).spec
        parts = plan(find_run_sets(opened.folder, world.data), spec.settings())
        scores = {name: entry.to_json() for name, entry in score_parts(Run(opened.folder, spec), parts).scores.items()}
    members["scores.json"] = json.dumps(scores).encode()
    record = check_submission(guessed, world.data, second=write_members(other, members))
    (failed,) = record.failed
    assert failed.check == "reproduction"
    assert re.search(rf"{VLN_ACC}: 0\.[789]\d+ the second time, not in \[0\.\d+, 0\.\d+\]", failed.problem)


def test_videos_without_data_are_refused(guessed: Path, world: World) -> None:
    with pytest.raises(ValueError, match="give their folder too"):
        check_submission(guessed, videos=world.videos)
