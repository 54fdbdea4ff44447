"""EgoSchema: the questions with a public label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from egobench.annotations import Annotations
from egobench.dataset.build import build
from egobench.dataset.sampleset import SampleSet
from egobench.errors import RecordError
from egobench.evaluate import evaluate
from egobench.model import ModelInfo, Prompt, Reply
from egobench.plugins import load_model, load_task
from egobench.run.spec import Settings
from egobench.sample import Clip, Record
from tests.conftest import NoEmbedder
from tests.tasks.official_files import egoschema, write


def test_a_labelled_question_is_about_its_whole_file(tmp_path: Path) -> None:
    records = list(load_task("egoschema").read(Annotations(write(tmp_path, egoschema()))))
    options = tuple(f"C does thing {number} of 0074f737." for number in range(5))
    assert records[0] == Record(
        id="0074f737",
        clip=Clip("0074f737.mp4", 0.0, None),
        question="What is C doing overall?",
        answer="C does thing 3 of 0074f737.",
        cluster="2fa72a4f",
        options=options,
        target=3,
    )
    assert [(record.id, record.target, record.cluster) for record in records[1:]] == [("00f93e1e", 0, "77aa11bb")]


def test_questions_without_a_public_label_are_counted_in_one_line(tmp_path: Path) -> None:
    annotations = Annotations(write(tmp_path, egoschema()))
    list(load_task("egoschema").read(annotations))
    assert annotations.dropped == [{"id": "1 of 3 questions", "reason": "no public label"}]
    assert sorted(annotations.sources) == ["questions.json", "subset_answers.json", "uid_to_ego4d.json"]


def test_a_labelled_question_without_a_source_video_is_refused(tmp_path: Path) -> None:
    files = egoschema()
    del files["uid_to_ego4d.json"]["0074f737"]
    with pytest.raises(RecordError, match=r"row 1, field 'q_uid': '0074f737' is not in uid_to_ego4d\.json"):
        list(load_task("egoschema").read(Annotations(write(tmp_path, files))))


def test_a_clone_without_source_videos_has_the_clip_for_a_cluster_and_says_so(tmp_path: Path) -> None:
    files = egoschema()
    del files["uid_to_ego4d.json"]
    task = load_task("egoschema")
    annotations = Annotations(write(tmp_path, files))
    assert [record.cluster for record in task.read(annotations)] == ["0074f737", "00f93e1e"]
    assert annotations.facts == {"clips_as_clusters": 2}
    manifest = build(task, Annotations(tmp_path), NoEmbedder(), construction="full").manifest
    assert manifest.facts == {"clips_as_clusters": 3}


def full(folder: Path) -> SampleSet:
    return build(load_task("egoschema"), Annotations(write(folder, egoschema())), NoEmbedder(), construction="full")


class Third:
    """Says C to all but one question, which it declines."""

    info = ModelInfo("third", "1")

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        return [Reply("I cannot tell." if "first" in prompt.question else "C") for prompt in prompts]


def test_the_full_set_has_every_question_and_only_public_answers(tmp_path: Path) -> None:
    held = full(tmp_path)
    assert [(sample.id, sample.target, sample.answer) for sample in held.samples] == [
        ("0074f737", 3, "C does thing 3 of 0074f737."),
        ("00b9a0de", None, ""),
        ("00f93e1e", 0, "C does thing 0 of 00f93e1e."),
    ]
    assert (held.name, held.manifest.dropped, held.manifest.chance) == ("egoschema/full", (), {})


def test_a_run_of_the_full_set_is_unscored_and_writes_what_was_chosen(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    model = load_model("first-choice")
    result = evaluate(model, [full(tmp_path / "a")], videos, tmp_path / "runs")
    entry = result.scores["egoschema/all/mcq/full/acc/generate"]
    assert (entry.value, entry.n, entry.low, entry.chance) == (None, 3, None, None)
    assert json.loads((result.path / "submission.json").read_text()) == {"0074f737": 0, "00b9a0de": 0, "00f93e1e": 0}
    listed = (result.path / "checksums.txt").read_text()
    assert "submission.json" in listed
    assert "submission.csv" in listed


def test_a_question_without_a_reply_is_missing_from_the_submission_and_counted(tmp_path: Path) -> None:
    """The label of the declined question is public, and is not put in its place."""
    blind = Settings(control="blind")
    result = evaluate(Third(), [full(tmp_path / "a")], tmp_path, tmp_path / "runs", blind)
    assert json.loads((result.path / "submission.json").read_text()) == {"0074f737": 2, "00b9a0de": 2}
    assert (result.path / "submission.csv").read_text() == "q_uid,answer\n0074f737,2\n00b9a0de,2\n"
    entry = result.scores["egoschema/all/mcq/full/acc/generate/blind"]
    assert entry.problem == "unscored: the answers of 1 of 3 samples are private; 1 have no reply"
    assert entry.outcomes["refused"] == 1


def test_a_run_of_the_labelled_questions_writes_no_submission(tmp_path: Path) -> None:
    labelled = build(load_task("egoschema"), Annotations(write(tmp_path / "a", egoschema())), NoEmbedder())
    result = evaluate(load_model("first-choice"), [labelled], tmp_path, tmp_path / "runs")
    assert result.scores["egoschema/all/mcq/official/acc/generate"].n == 2
    assert not (result.path / "submission.json").exists()
